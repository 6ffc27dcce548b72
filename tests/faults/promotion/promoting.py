"""Promotions in processes of their own, which may be killed; forked from a process that has all imported."""

from __future__ import annotations

import multiprocessing
import sys
import time
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

import mlflow.store.model_registry.sqlalchemy_store
import mlflow.store.tracking.sqlalchemy_store  # noqa: F401  (imported once, for all processes)

from pipelines.environment import set_environment
from pipelines.home import Home
from pipelines.promotion.choosing import choose_version
from pipelines.promotion.transaction import challenge, settle_pipeline
from pipelines.records import Promotion
from tests.pipelines.promotion.versions import CONFIG, NAME, plan, told

CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload([__name__])
SECONDS = 60.0


@dataclass
class Worker:
    """A process that waits for `go`, does one thing, and tells how it ended."""

    process: Any
    line: Connection

    def go(self) -> None:
        assert self.line.recv() == "ready"
        self.line.send("go")

    def kill(self) -> None:
        self.process.kill()
        self.process.join()

    def ending(self) -> Promotion | str | None:
        """What the process did: a promotion, None (a conflict, a settled pipeline), or words of an error."""
        assert self.line.poll(SECONDS), "it hangs"
        said: Promotion | str | None = self.line.recv()
        self.process.join()
        return said


def start(home: Home, url: str, what: str, version: int = 0, previous: int | None = None) -> Worker:
    """A process that is about to `train` (a promotion by the gates), `deploy` (by hand) or `settle`."""
    ours, theirs = CONTEXT.Pipe()
    process = CONTEXT.Process(target=work, args=(theirs, home, url, what, version, previous))
    process.start()
    theirs.close()
    return Worker(process, ours)


def work(line: Connection, home: Home, url: str, what: str, version: int, previous: int | None) -> None:
    # The process that forks has the variables of the first home that it was started for.
    store = f"sqlite:///{home.mlflow / 'mlflow.db'}"
    set_environment({"EVERGREEN_SERVING_URL": url, "MLFLOW_TRACKING_URI": store})
    line.send("ready")
    line.recv()
    try:
        if what == "train":
            line.send(challenge(home, plan(version, previous), told(version)))
        elif what == "deploy":
            line.send(choose_version(home, CONFIG, version, "by hand", "ada"))
        else:
            line.send(settle_pipeline(home, NAME))
    except Exception as error:  # noqa: BLE001  (the test looks at it)
        line.send(f"{type(error).__name__}: {error}")
    sys.exit(0)


def seconds_of(worker: Worker) -> float:
    """How long an undisturbed process takes."""
    worker.go()
    started = time.monotonic()
    assert isinstance(worker.ending(), Promotion)
    return time.monotonic() - started
