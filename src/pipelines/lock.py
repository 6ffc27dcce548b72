"""One process at a time changes a pipeline's data or trains on it."""

from __future__ import annotations

import fcntl
import time
from collections.abc import Iterator
from contextlib import contextmanager

from pipelines.home import Home
from pipelines.progress import log


@contextmanager
def one_at_a_time(home: Home, pipeline: str) -> Iterator[None]:
    """Wait until no other process on this host has the pipeline's turn.

    A process that dies lets go of its turn.
    """
    path = home.pipeline(pipeline).lock
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        waiting = False
        while not try_lock(file.fileno()):
            if not waiting:
                log.info("Another run of %s is at work; waiting for it.", pipeline)
            waiting = True
            time.sleep(0.5)
        yield


@contextmanager
def if_nobody_else(home: Home, pipeline: str) -> Iterator[bool]:
    """The pipeline's turn, or False at once where another process has it."""
    path = home.pipeline(pipeline).lock
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        yield try_lock(file.fileno())


def try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
