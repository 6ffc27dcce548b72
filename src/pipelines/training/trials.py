"""The log of a tuning's trials: a line each, whole at any moment, and true over the death of a driver."""

from __future__ import annotations

import math
import time
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from pipelines.files import write_whole
from pipelines.records import Trial
from pipelines.training.folder import AttemptFolder
from pipelines.training.job import FitJob

WRITE_SECONDS = 0.5  # an epoch may wait so long for its place in the file; the end of a trial never waits


def read_trials(path: Path) -> list[Trial]:
    """The trials in a log, by number; none where there is no log."""
    lines = path.read_bytes().splitlines() if path.exists() else []
    found = {trial.number: trial for trial in map(parse_trial, lines) if trial}
    return [found[number] for number in sorted(found)]


def parse_trial(line: bytes) -> Trial | None:
    try:
        return Trial.model_validate_json(line)
    except ValidationError:
        return None


def best_trial(trials: list[Trial]) -> Trial | None:
    """The trial with the least loss, of equal ones the first; None where none has any."""
    known = [trial for trial in trials if trial.best is not None and trial.status != "failed"]
    return min(known, key=lambda trial: (trial.best, trial.number), default=None)


def trial_job(job: FitJob, number: int) -> FitJob:
    """The same job for a trial, in a place of its own, where it also tells its progress."""
    place = AttemptFolder(job.root).candidates / f"trial-{number}"
    return job.model_copy(update={"name": f"{job.name}-trial-{number}", "root": place, "place": place})


class TrialLog:
    """Trials as they go on; written by the driver alone."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.trials = {trial.number: trial for trial in read_trials(path)}
        self.before = max((trial.at for trial in self.trials.values()), default=0.0)
        self.begun = self.written = time.monotonic()
        self.since: dict[
            int, tuple[float, float]
        ] = {}  # when this driver began a trial, and its seconds then

    @property
    def elapsed(self) -> float:
        """Seconds of tuning, those of drivers that died included."""
        return self.before + time.monotonic() - self.begun

    def of_status(self, *status: str) -> list[Trial]:
        return [trial for _, trial in sorted(self.trials.items()) if trial.status in status]

    def ended(self) -> list[Trial]:
        return self.of_status("finished", "stopped early", "failed")

    def start(self, number: int, settings: dict[str, Any]) -> None:
        """A trial begins, or goes on after its process died."""
        known = self.trials.get(number) or Trial(number=number, settings=settings)
        self.since[number] = (time.monotonic(), known.seconds)
        self._put(known, status="running")
        self.write()

    def tell(self, number: int, epoch: int, loss: float) -> None:
        """An epoch's loss; told again by a trial that was resumed, it counts once."""
        known = self.trials[number]
        if math.isfinite(loss):
            losses = [*known.losses[: epoch - 1], loss]
            self._put(known, losses=losses, best=min(losses))
        if time.monotonic() - self.written > WRITE_SECONDS:
            self.write()

    def end(self, number: int, status: str, reason: str | None = None) -> Trial:
        """How it ended; the first word holds."""
        known = self.trials[number]
        if known.status == "running":
            self._put(known, status=status, reason=reason)
            self.write()
        return self.trials[number]

    def _put(self, trial: Trial, **changed: Any) -> None:
        began, seconds = self.since.get(trial.number, (time.monotonic(), trial.seconds))
        spent = round(seconds + time.monotonic() - began, 3)
        self.trials[trial.number] = trial.model_copy(
            update={**changed, "seconds": spent, "at": round(self.elapsed, 6)}
        )

    def write(self) -> None:
        lines = [trial.model_dump_json() for _, trial in sorted(self.trials.items())]
        write_whole(self.path, "".join(f"{line}\n" for line in lines))
        self.written = time.monotonic()
