"""Takes in a pipeline's table and is killed at a given step: `python dying.py FOLDER STEP`."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pipelines.data.storage import snapshots
from tests.pipelines.data.conftest import Table


def die(*_args: Any, **_kwargs: Any) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def after(function: Callable[..., Any]) -> Callable[..., Any]:
    def run(*args: Any, **kwargs: Any) -> None:
        function(*args, **kwargs)
        die()

    return run


STEPS: dict[str, tuple[str, Callable[..., Any]]] = {
    "staged": ("accept_batch", die),
    "after quarantine": ("write_quarantine", after(snapshots.write_quarantine)),
    "linked": ("put_part", after(snapshots.put_part)),
    "before the rows": ("add_files", die),
    "after the rows": ("write_accepted", after(snapshots.write_accepted)),
}

if __name__ == "__main__":
    table, (name, function) = Table(Path(sys.argv[1])), STEPS[sys.argv[2]]
    setattr(snapshots, name, function)
    batch = table.stage()
    snapshots.accept_batch(table.home, batch, table.judge(batch, {1: "bad"}))
