"""From answers to the prediction log: a bounded queue and a thread, so that no request waits for the disk."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from pandas import DataFrame

Append = Callable[[str, "DataFrame"], object]

MOST_WAITING = 10_000  # rows of a pipeline; some megabytes
WRITE_ROWS = 1_000
WRITE_SECONDS = 1.0
RETRY_SECONDS = 1.0
LAST_TRIES = 3

logger = logging.getLogger(__name__)


class Sink(Protocol):
    """Where the service puts the rows of the prediction log."""

    def put(self, pipeline: str, rows: DataFrame) -> None: ...
    def close(self) -> None: ...
    @property
    def dropped(self) -> int: ...
    @property
    def waiting(self) -> int: ...
    @property
    def trouble(self) -> str | None: ...


class Waiting:
    """The rows of one pipeline that are not yet written, oldest first."""

    def __init__(self) -> None:
        self.frames: deque[DataFrame] = deque()
        self.rows = 0
        self.due = 0.0  # time.monotonic() at which they are to be written
        self.trouble: str | None = None  # why the last write failed

    def is_due(self, now: float) -> bool:
        full = self.rows >= WRITE_ROWS and self.trouble is None
        return bool(self.frames) and (full or self.due <= now)

    def take(self) -> list[DataFrame]:
        """The oldest frames that can be one append: same columns. They stay until `drop`."""
        first = list(self.frames[0].columns)
        same: list[DataFrame] = []
        for frame in self.frames:
            if list(frame.columns) != first:
                break
            same.append(frame)
        return same

    def drop(self, frames: int) -> None:
        for _ in range(frames):
            self.rows -= len(self.frames.popleft())


class PredictionSink:
    """Appends rows within a second or a thousand rows, and keeps them while that fails.

    Each pipeline has its own bound, so one whose log cannot be written does not cost another its rows.
    What comes when the bound is reached is dropped and counted. `close` writes what is left.
    """

    def __init__(
        self, append: Append, most_waiting: int = MOST_WAITING, seconds: float = WRITE_SECONDS
    ) -> None:
        self.append = append
        self.most_waiting = most_waiting
        self.seconds = seconds
        self.dropped = 0
        self.queues: dict[str, Waiting] = {}
        self.changed = threading.Condition()
        self.closing = False
        self.thread = threading.Thread(target=self.work, name="prediction-log", daemon=True)
        self.thread.start()

    @property
    def waiting(self) -> int:
        """Rows that are not yet written."""
        return sum(queue.rows for queue in list(self.queues.values()))

    @property
    def trouble(self) -> str | None:
        """Which logs cannot be written at the moment, and why."""
        found = [f"{name}: {queue.trouble}" for name, queue in list(self.queues.items()) if queue.trouble]
        return "; ".join(found) or None

    def put(self, pipeline: str, rows: DataFrame) -> None:
        """Take rows to be written soon; never waits for the disk, drops and counts when full."""
        with self.changed:
            queue = self.queues.setdefault(pipeline, Waiting())
            if self.closing or queue.rows + len(rows) > self.most_waiting:
                self.dropped += len(rows)
                return
            if not queue.frames:
                queue.due = time.monotonic() + self.seconds
            queue.frames.append(rows)
            queue.rows += len(rows)
            if len(queue.frames) == 1 or queue.rows >= WRITE_ROWS:
                self.changed.notify()

    def close(self) -> None:
        """Write what is left, in a few tries; rows that cannot be written count as dropped."""
        with self.changed:
            self.closing = True
            self.changed.notify()
        self.thread.join()

    def work(self) -> None:
        """The writer thread: write what is due, then sleep until something is."""
        while not self.closing:
            for pipeline in self.due():
                self.write(pipeline)
            with self.changed:
                if not self.closing:
                    self.changed.wait(self.pause())
        self.finish()

    def due(self) -> list[str]:
        """The pipelines whose rows are to be written now; one whose last write failed waits for its time."""
        now = time.monotonic()
        with self.changed:
            return [name for name, queue in self.queues.items() if queue.is_due(now)]

    def pause(self) -> float | None:
        """Seconds until the next write; None when there is nothing to write."""
        times = [queue.due for queue in self.queues.values() if queue.frames]
        return max(0.0, min(times) - time.monotonic()) if times else None

    def write(self, pipeline: str) -> bool:
        """Append the oldest rows of a pipeline; on failure they stay first. Returns whether it worked."""
        import pandas as pd

        queue = self.queues[pipeline]
        with self.changed:
            frames = queue.take()
        try:
            self.append(pipeline, pd.concat(frames, ignore_index=True))
        except Exception as error:  # noqa: BLE001  whatever the disk says, predictions go on
            queue.trouble = f"{type(error).__name__}: {error}"
            logger.warning("The prediction log of %s cannot be written, trying again: %s", pipeline, error)
            queue.due = time.monotonic() + RETRY_SECONDS
            return False
        with self.changed:
            queue.drop(len(frames))
            queue.due = time.monotonic() + self.seconds
            queue.trouble = None
        return True

    def finish(self) -> None:
        """Write all that is left, with a few tries for each pipeline."""
        for pipeline, queue in self.queues.items():
            tries = 0
            while queue.frames and tries < LAST_TRIES:
                if not self.write(pipeline):
                    tries += 1
                    time.sleep(0.1 * tries)
            if queue.frames:
                self.dropped += queue.rows
                logger.warning(
                    "%d predictions of %s are not in the log: %s", queue.rows, pipeline, queue.trouble
                )
