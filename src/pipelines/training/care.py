"""Keeps the driver of an attempt running, as often and as long as the definition allows."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from pipelines.config import Training
from pipelines.errors import TrainingFailed
from pipelines.files import write_whole
from pipelines.lock import try_lock
from pipelines.progress import log
from pipelines.records import Attempt, Record
from pipelines.training.folder import AttemptFolder
from pipelines.training.launchers import Launcher


class Spent(Record):
    """What an attempt has used of `training.timeout` and `training.failures`, over all who followed it."""

    began: float  # later by the time in which no driver ran
    started: float  # the driver that is there now
    deaths: dict[str, int] = {}


class Care:
    """Starts the driver, and again when it died or hangs: `training.failures` times, then TrainingFailed.

    What is spent lies in the attempt's folder: a caller that is killed and comes again has no new budget.
    """

    def __init__(self, launcher: Launcher, attempt: Attempt, training: Training) -> None:
        self.launcher, self.attempt, self.training = launcher, attempt, training
        self.folder = AttemptFolder.of(attempt)

    def keep_running(self) -> None:
        """One look, unless another caller looks. Raises TrainingFailed when budget or time is over."""
        with self._turn() as mine:
            if mine:
                self._look()

    def end(self) -> None:
        """Nothing is spent any more: it has been said how this ended, and the next call is another try."""
        self.folder.spent.unlink(missing_ok=True)

    def _look(self) -> None:
        spent, running = self._spent(), self.launcher.running()
        if spent is None:
            self._begin(running)
        elif not running:
            if not (self.folder.result.exists() or self.folder.error.exists()):
                idle = self._silence(spent)
                self._restart(spent.model_copy(update={"began": spent.began + idle}), self._last_words())
        elif time.time() - spent.began > self.training.timeout.total_seconds():
            self.launcher.stop()
            raise TrainingFailed(
                f"{self.attempt.id}: not done after {self.training.timeout.total_seconds():.0f} s.",
                "Raise `training.timeout`, or train less.",
            )
        elif self._silence(spent) > self.training.stall.total_seconds():
            self.launcher.stop()
            self._restart(spent, f"no sign of progress for {self.training.stall.total_seconds():.0f} s")

    def _begin(self, running: bool) -> None:
        """The first look at a driver, or at none: then it is started."""
        self.folder.fault.unlink(missing_ok=True)
        began = time.time()
        if not running:
            self.launcher.start()
        self._keep(Spent(began=began, started=time.time()))

    def _silence(self, spent: Spent) -> float:
        """Seconds since the last sign of progress of this driver."""
        beat = self.folder.beat
        return time.time() - max(spent.started, beat.stat().st_mtime if beat.exists() else 0.0)

    def _last_words(self) -> str:
        """What the driver said of its end; a killed one says nothing."""
        if not self.folder.fault.exists():
            return "the training process (driver) died"
        words = self.folder.fault.read_text()
        self.folder.fault.unlink()
        return words

    def _restart(self, spent: Spent, death: str) -> None:
        deaths = Counter(spent.deaths)
        deaths[death] += 1
        if deaths.total() > self.training.failures:
            raise TrainingFailed(
                f"{self.attempt.id}: given up after {deaths.total()} faults, and"
                f" {self.training.failures} may be survived (training.failures): {count_words(deaths)}.",
                f"{log_hint(self.folder)} Train again: it goes on from the last checkpoint.",
            )
        log.warning("%s: %s; it goes on from the last checkpoint", self.attempt.id, death)
        # Kept first: whoever is killed in between has spent it.
        self._keep(spent.model_copy(update={"started": time.time(), "deaths": dict(deaths)}))
        self.launcher.start()

    def _keep(self, spent: Spent) -> None:
        write_whole(self.folder.spent, spent.model_dump_json())

    def _spent(self) -> Spent | None:
        path = self.folder.spent
        return Spent.model_validate_json(path.read_bytes()) if path.exists() else None

    @contextmanager
    def _turn(self) -> Iterator[bool]:
        """Of several callers that follow, one starts drivers at a time: each death counts once."""
        with self.folder.care.open("wb") as file:
            yield try_lock(file.fileno())


def count_words(deaths: Counter[str]) -> str:
    return ", ".join(f"{what} ({times} times)" if times > 1 else what for what, times in deaths.items())


def log_hint(folder: AttemptFolder) -> str:
    return f"The log is {folder.log}."
