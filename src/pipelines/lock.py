"""One training at a time for each pipeline."""

from __future__ import annotations

import fcntl
import time
from collections.abc import Iterator
from contextlib import contextmanager

from pipelines.home import Home
from pipelines.progress import log


@contextmanager
def one_at_a_time(home: Home, pipeline: str) -> Iterator[None]:
    """Wait until no other training of the pipeline runs on this host.

    A process that dies lets go of its turn.
    """
    path = home.pipeline(pipeline).lock
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        waiting = False
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if not waiting:
                    log.info("Another training of %s runs; waiting for it.", pipeline)
                waiting = True
                time.sleep(0.5)
        yield
