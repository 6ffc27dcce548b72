"""One stack for all tests of the flows: the demo's own, left up when its story is told."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

BIN = Path(sys.executable).parent
ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class City:
    """The demo's home, with its stack running and version 2 in production."""

    folder: Path
    log: str

    @property
    def home(self) -> Path:
        return self.folder / ".evergreen" / "demo"

    @property
    def definition(self) -> Path:
        return self.home / "rides" / "pipeline.yaml"

    def evergreen(self, *words: str) -> tuple[int, dict[str, Any]]:
        """Run the command with --json; its exit code and answer."""
        command = [str(BIN / "evergreen"), *words, "--json", "--home", str(self.home)]
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            timeout=240,
            cwd=self.folder,
            check=False,
            env=environment(),
        )
        assert "Traceback" not in done.stderr, done.stderr
        return done.returncode, json.loads(done.stdout)


def environment() -> dict[str, str]:
    values = {
        k: v for k, v in os.environ.items() if not k.startswith(("PREFECT_", "MLFLOW_", "RAY_", "EVERGREEN_"))
    }
    values.pop("PYTHONDONTWRITEBYTECODE", None)
    return values


def evergreen_processes() -> set[int]:
    """Ids of processes that a stack of ours consists of."""
    import psutil

    words = (
        "prefect server",
        "prefect worker",
        "mlflow server",
        "pipelines.serving.server",
        "gcs_server",
        "raylet",
        "training.driver",
    )
    return {
        p.pid
        for p in psutil.process_iter(["cmdline"])
        if any(w in " ".join(p.info["cmdline"] or []) for w in words)
    }


@pytest.fixture(scope="session")
def city(tmp_path_factory: pytest.TempPathFactory) -> Iterator[City]:
    folder = tmp_path_factory.mktemp("a city with spaces")
    before = evergreen_processes()
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
    text = (folder / "demo.log").read_text()
    try:
        assert done.returncode == 0, text[-6000:]
        yield City(folder, text)
    finally:
        subprocess.run(
            [str(BIN / "evergreen"), "down", "--home", str(folder / ".evergreen" / "demo")],
            check=True,
            timeout=120,
        )
    assert evergreen_processes() <= before, "down left processes behind"
