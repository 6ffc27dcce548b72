"""What processes use is counted whoever ends them, and no second twice."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from pipelines.config import Prices
from pipelines.files import write_whole
from pipelines.records import Cost
from pipelines.training.folder import AttemptFolder
from pipelines.training.usage import Meter, Usage, attempt_cost, device_use, read_usage

WORKER = """
import sys
from pathlib import Path
from pipelines.training.folder import AttemptFolder
from pipelines.training.usage import Meter
with Meter(AttemptFolder(Path(sys.argv[1])), "worker-0", gpus=0.5) as meter:
    block = bytearray(50_000_000)
    before = meter.path.read_text()
    while meter.path.read_text() == before:
        sum(range(100_000))
    print("written", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def folder(tmp_path: Path) -> AttemptFolder:
    return AttemptFolder(tmp_path / "attempt")


def put(folder: AttemptFolder, role: str, started: float, wall: float, **more: object) -> None:
    folder.usage.mkdir(parents=True, exist_ok=True)
    known = {"cpu_seconds": wall, "gpu_seconds": 0.0, "peak_bytes": 100, "ended": True}
    usage = Usage.model_validate({"role": role, "started": started, "wall_seconds": wall, **known, **more})
    write_whole(folder.usage / f"{role}-host-1-{started}.json", usage.model_dump_json())


def test_a_killed_process_is_counted(folder: AttemptFolder) -> None:
    command = [sys.executable, "-c", WORKER, str(folder.root)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout
        process.stdout.readline()
        os.kill(process.pid, signal.SIGKILL)
    [usage] = read_usage(folder)
    assert not usage.ended
    assert usage.role == "worker-0"
    assert usage.cpu_seconds > 0
    assert usage.gpu_seconds == pytest.approx(usage.wall_seconds / 2, abs=0.01)
    assert 50e6 < usage.peak_bytes < 1e9


def test_a_process_that_ends_has_said_so(folder: AttemptFolder) -> None:
    with suppress(ValueError), Meter(folder, "driver"):
        raise ValueError(sum(range(2_000_000)))
    [usage] = read_usage(folder)
    assert usage.ended
    assert 0 < usage.cpu_seconds <= usage.wall_seconds * 1.5


def test_a_full_disk_costs_the_figure_and_not_the_training(folder: AttemptFolder) -> None:
    with Meter(folder, "driver") as meter:
        meter.path.unlink()
        meter.path.mkdir()  # nothing can be written in its place
        (meter.path / "x").touch()
    assert attempt_cost(folder, Prices()).processes == 0


def test_the_cost_is_that_of_all_processes(folder: AttemptFolder) -> None:
    """A driver that died after 10 s; the next began 100 s later and had two workers at its side."""
    put(folder, "driver", 1000, 10, ended=False, peak_bytes=500)
    put(folder, "driver", 1110, 20)
    put(folder, "worker-0", 1112, 10, gpu_seconds=10)
    put(folder, "worker-1", 1112, 10, gpu_seconds=5)
    cost = attempt_cost(folder, Prices(cpu_hour=3.6, gpu_hour=36, currency="CHF"))
    assert cost == Cost(
        cpu_seconds=50,
        gpu_seconds=15,
        peak_bytes=500,
        wall_seconds=30,
        money=0.2,
        currency="CHF",
        processes=4,
        wasted_seconds=10,
    )


def test_memory_is_that_of_processes_at_the_same_time(folder: AttemptFolder) -> None:
    for role, started in (("driver", 0), ("worker-0", 5), ("worker-1", 6), ("candidate", 50)):
        put(folder, role, started, 10, peak_bytes=100)
    assert attempt_cost(folder, Prices()).peak_bytes == 300


def test_a_process_that_still_runs_is_not_wasted(folder: AttemptFolder) -> None:
    put(folder, "driver", 0, 10, ended=False)
    assert attempt_cost(folder, Prices()).wasted_seconds == 0


def test_costs_add_up() -> None:
    one = Cost(cpu_seconds=2, peak_bytes=5, wall_seconds=1, money=1, currency="EUR", processes=1)
    two = one.model_copy(update={"peak_bytes": 9, "currency": "CHF"})
    assert one + Cost() == one
    both = one + two
    assert (both.cpu_seconds, both.peak_bytes, both.processes) == (4, 9, 2)
    assert (both.money, both.currency) == (None, "")
    assert (one + one).money == 2


def test_the_machine_says_how_busy_it_is_where_psutil_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    use = device_use()
    assert 0 <= use["cpu_percent"] <= 100
    assert use["memory_bytes"] > 1e6
    monkeypatch.setitem(sys.modules, "psutil", None)
    assert device_use().keys() <= {"gpu_memory_bytes", "gpu_percent"}
