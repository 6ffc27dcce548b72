"""One process at a time changes a pipeline's data or trains on it."""

from __future__ import annotations

import fcntl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

from pipelines.home import Home
from pipelines.progress import log

# A training takes hours: promotions, which take seconds, do not wait for it. They are always taken in this
# order.
Turn = Literal["training", "approval", "promotion"]
POLL_SECONDS = 0.1


@contextmanager
def one_at_a_time(home: Home, pipeline: str, turn: Turn = "training") -> Iterator[None]:
    """Wait until no other process on this host has the pipeline's turn.

    A process that dies lets go of its turn.
    """
    path = home.pipeline(pipeline).lock(turn)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        waiting = False
        while not try_lock(file.fileno()):
            if not waiting:
                log.info("Another process has the turn of %s (%s); waiting for it.", pipeline, turn)
            waiting = True
            time.sleep(POLL_SECONDS)
        yield


@contextmanager
def if_nobody_else(home: Home, pipeline: str) -> Iterator[bool]:
    """The pipeline's turn, or False at once where another process has it."""
    path = home.pipeline(pipeline).lock("training")
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        yield try_lock(file.fileno())


def try_lock(descriptor: int) -> bool:
    """Whether this process has the lock of an open file now; it lets go when it closes it, or dies."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
