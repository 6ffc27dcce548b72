"""What the processes of an attempt use, and what that costs, those that were killed included."""

from __future__ import annotations

import os
import socket
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from pipelines.config import Prices
from pipelines.files import write_whole
from pipelines.records import Cost, Record
from pipelines.training.folder import AttemptFolder

SECONDS = 1.0  # between two writes: what a killed process used since its last one is not known
HOUR = 3600


class Usage(Record):
    """What one process has used until it was last written; `ended` is False of one that was killed."""

    role: str
    started: float  # unix seconds
    wall_seconds: float
    cpu_seconds: float
    gpu_seconds: float  # the GPUs that it held, busy or not
    peak_bytes: int
    ended: bool = False

    @property
    def last(self) -> float:
        return self.started + self.wall_seconds


class Meter:
    """Writes what this process uses to a file of its own, every second and at the end, in a thread.

    `gpus` is how many GPUs the process holds, a fraction where it shares one. Only this process is measured:
    those that it starts hold a meter each.
    """

    def __init__(self, folder: AttemptFolder, role: str, gpus: float = 0) -> None:
        self.role, self.gpus, self.started = role, gpus, time.time()
        self._clock, self._cpu = time.monotonic(), time.process_time()
        name = f"{role}-{socket.gethostname()}-{os.getpid()}-{self.started:.3f}.json"
        self.path = folder.usage / name
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._write_on, name="usage", daemon=True)

    def __enter__(self) -> Self:
        import psutil

        psutil.cpu_percent()  # it counts from the call before, and the first would say zero
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._write(ended=False)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()
        self._write(ended=True)

    def _write_on(self) -> None:
        while not self._stop.wait(SECONDS):
            self._write(ended=False)

    def _write(self, ended: bool) -> None:
        """A disk that is full costs the figure, not the training."""
        wall = time.monotonic() - self._clock
        usage = Usage(
            role=self.role,
            started=self.started,
            wall_seconds=round(wall, 3),
            cpu_seconds=round(time.process_time() - self._cpu, 3),
            gpu_seconds=round(wall * self.gpus, 3),
            peak_bytes=peak_memory(),
            ended=ended,
        )
        with suppress(OSError):
            write_whole(self.path, usage.model_dump_json())


def peak_memory() -> int:
    """The most memory, in bytes, that this process has had in use."""
    with suppress(OSError):
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024  # on Linux it also counts who started us


def read_usage(folder: AttemptFolder) -> list[Usage]:
    """What each process of an attempt has used, in the order of their starts."""
    found = []
    for path in folder.usage.glob("*.json"):
        with suppress(OSError, ValueError):
            found.append(Usage.model_validate_json(path.read_bytes()))
    return sorted(found, key=lambda usage: usage.started)


def attempt_cost(folder: AttemptFolder, prices: Prices) -> Cost:
    """What all processes of an attempt have used, those that were killed included, at these prices.

    `wall_seconds` are those in which any process was alive. `peak_bytes` is the sum of the peaks of processes
    that lived at the same time, so the attempt never had more. `wasted_seconds` are the CPU seconds of
    processes that died and that another one of the same role came after.
    """
    used = read_usage(folder)
    cpu, gpu = sum(u.cpu_seconds for u in used), sum(u.gpu_seconds for u in used)
    return Cost(
        cpu_seconds=round(cpu, 3),
        gpu_seconds=round(gpu, 3),
        peak_bytes=max((together(used, u.started) for u in used), default=0),
        wall_seconds=round(covered(used), 3),
        money=round((cpu * prices.cpu_hour + gpu * prices.gpu_hour) / HOUR, 6),
        currency=prices.currency,
        processes=len(used),
        wasted_seconds=round(sum(u.cpu_seconds for u in used if is_replaced(u, used)), 3),
    )


def together(used: list[Usage], moment: float) -> int:
    """The sum of the peaks of those that live at a moment, in bytes."""
    return sum(u.peak_bytes for u in used if u.started <= moment <= u.last)


def covered(used: list[Usage]) -> float:
    """Seconds in which at least one of them lived; `used` comes in the order of starts."""
    total, until = 0.0, 0.0
    for usage in used:
        total += max(0.0, usage.last - max(usage.started, until))
        until = max(until, usage.last)
    return total


def is_replaced(usage: Usage, used: list[Usage]) -> bool:
    """Whether a process died and another one had to take over its part."""
    return not usage.ended and any(u.role == usage.role and u.started > usage.last for u in used)


def device_use() -> dict[str, Any]:
    """How busy this machine is: cpu_percent since the last call, memory_bytes in use by all its processes.

    Neither where psutil is not there: the loop runs with torch alone. Of a GPU that torch uses in this
    process also gpu_memory_bytes, and gpu_percent where NVIDIA's library for Python is there.
    """
    use: dict[str, Any] = {}
    with suppress(ImportError):
        import psutil

        use = {"cpu_percent": psutil.cpu_percent(), "memory_bytes": int(psutil.virtual_memory().used)}
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_initialized():
        free, total = torch.cuda.mem_get_info()
        use["gpu_memory_bytes"] = int(total - free)
        with suppress(ImportError, RuntimeError):
            use["gpu_percent"] = float(torch.cuda.utilization())
    return use
