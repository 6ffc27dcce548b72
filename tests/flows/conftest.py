"""One stack for all tests of the flows: the demo's own, left up when its story is told."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from evergreen.processes import descendants
from evergreen.stack import read_stack
from pipelines.home import Home
from tests.forking import ROOT, Forks

if TYPE_CHECKING:
    import psutil

BIN = Path(sys.executable).parent
# What the command does before it imports a flow, and the flows.
READY = """
import sys
from pathlib import Path
from evergreen.console import prepare

prepare(Path({home!r}), debug=False)
import evergreen.cli, flows.monitoring, flows.serving, flows.training
"""


@dataclass(frozen=True)
class City:
    """The demo's home, with its stack running and version 2 in production."""

    folder: Path
    log: str
    forks: Forks

    @property
    def home(self) -> Path:
        return self.folder / ".evergreen" / "demo"

    @property
    def definition(self) -> Path:
        return self.home / "rides" / "pipeline.yaml"

    def evergreen(self, *words: str) -> tuple[int, dict[str, Any]]:
        """Run the command with --json, in a process that has imported it; its exit code and answer."""
        call = ["from evergreen.cli import main; main()", *words, "--json", "--home", str(self.home)]
        done = self.forks.run(*call, folder=self.folder)
        assert "Traceback" not in done.err, done.err
        return done.code, json.loads(done.out)


def environment() -> dict[str, str]:
    values = {
        k: v for k, v in os.environ.items() if not k.startswith(("PREFECT_", "MLFLOW_", "RAY_", "EVERGREEN_"))
    }
    values.pop("PYTHONDONTWRITEBYTECODE", None)
    return values


def stack_processes(home: Path) -> list[psutil.Process]:
    """All that the stack of a home consists of."""
    return [one for process in read_stack(Home(home)).processes for one in descendants(process)]


@pytest.fixture(scope="package")
def city(tmp_path_factory: pytest.TempPathFactory) -> Iterator[City]:
    folder = tmp_path_factory.mktemp("a city with spaces")
    with (folder / "demo.log").open("wb") as log:
        command = [sys.executable, "-m", "examples.demo", "--keep"]
        values = {**environment(), "PYTHONPATH": str(ROOT)}
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            timeout=600,
            cwd=folder,
            check=False,
            env=values,
        )
    text, home = (folder / "demo.log").read_text(), folder / ".evergreen" / "demo"
    try:
        assert done.returncode == 0, text[-6000:]
        forks = Forks(tmp_path_factory.mktemp("said"), READY.format(home=str(home)), environment())
        yield City(folder, text, forks)
        forks.close()
    finally:
        running = stack_processes(home)
        subprocess.run([str(BIN / "evergreen"), "down", "--home", str(home)], check=True, timeout=120)
    assert [one for one in running if one.is_running() and one.status() != "zombie"] == []
