"""Ray Tune's side of a tuning: what proposes trials, what is called as they go on, what runs one.

Imported only where a tuning runs, since its classes are Ray's.
"""

from __future__ import annotations

import atexit
import math
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from optuna.distributions import BaseDistribution
from ray import tune
from ray.tune.schedulers import ASHAScheduler
from ray.tune.search import Searcher
from ray.tune.search.optuna import OptunaSearch

from pipelines.records import Trial
from pipelines.training.families import fit
from pipelines.training.folder import AttemptFolder
from pipelines.training.job import FitJob
from pipelines.training.search_space import with_settings
from pipelines.training.trials import TrialLog, read_trials, trial_job

BEST, EPOCH = "best", "epoch"  # what a trial reports: the least loss so far, and after which epoch
REDUCTION = 3  # of the trials that reach a rung of ASHA, the best third goes on: Li and others 2020
FEWEST = 3  # epochs that every trial is given: the first ones say more of the learning rate than of the model


class NumberedSearch(OptunaSearch):  # type: ignore[misc]  # Ray Tune has no types
    """Optuna's proposals as `{number, settings}`; it knows the trials that have ended before.

    First come the trials that a driver left unfinished when it died, under their own numbers.
    """

    def __init__(
        self,
        space: dict[str, BaseDistribution],
        ended: list[Trial],
        waiting: list[Trial],
        most: int,
        seed: int,
    ) -> None:
        # With the seed alone, a search that goes on would draw again what it drew first.
        super().__init__(space, metric=BEST, mode="min", seed=seed + len(ended))
        for trial in ended:
            self.add_evaluated_point(trial.settings, trial.best, error=trial.best is None)
        for trial in waiting:
            self._ot_study.enqueue_trial(trial.settings)
        used = {trial.number for trial in [*ended, *waiting]}
        self.numbers = [t.number for t in waiting] + [n for n in range(most) if n not in used]

    def suggest(self, trial_id: str) -> Any:
        if not self.numbers:
            return Searcher.FINISHED
        return {"number": self.numbers.pop(0), "settings": super().suggest(trial_id)}

    def on_trial_complete(
        self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False
    ) -> None:
        failed = error or result is None or not math.isfinite(result.get(BEST, math.inf))
        super().on_trial_complete(trial_id, None if failed else result, failed)


def halving(epochs: int, ended: list[Trial]) -> ASHAScheduler:
    """ASHA over epochs, which has seen how earlier trials went; nothing ends before the first rung."""
    first = min(epochs, max(FEWEST, round(epochs / REDUCTION**2)))
    asha = ASHAScheduler(EPOCH, BEST, "min", max_t=epochs, grace_period=first, reduction_factor=REDUCTION)
    for trial in ended:
        known = SimpleNamespace(trial_id=f"before-{trial.number}")
        asha.on_trial_add(None, known)
        for epoch in range(1, len(trial.losses) + 1):
            asha.on_trial_result(None, known, {EPOCH: epoch, BEST: min(trial.losses[:epoch])})
    return asha


class TrialWatch(tune.Callback):  # type: ignore[misc]  # Ray Tune has no types
    """Keeps the log as trials go on; `ended` is called with each trial that does."""

    def __init__(self, log: TrialLog, job: FitJob, ended: Callable[[Trial], None]) -> None:
        self.log, self.job, self.ended = log, job, ended
        self.folder, self.epochs = AttemptFolder(job.root), int(job.training.epochs)

    def on_trial_start(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        self.log.start(trial.config["number"], trial.config["settings"])

    def on_trial_result(
        self, iteration: int, trials: list[Any], trial: Any, result: dict[str, Any], **info: Any
    ) -> None:
        number = trial.config["number"]
        if "validation" in result:
            self.log.tell(number, result[EPOCH], result["validation"])
        if "failed" in result:
            self.log.end(number, "failed", result["failed"])
        elif result.get("fitted"):
            self.log.end(number, "finished")

    def on_trial_complete(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        number = trial.config["number"]
        if number in self.log.trials:  # at the end of the time Tune also ends what has not begun
            whole = len(self.log.trials[number].losses) >= self.epochs
            self.ended(self.log.end(number, "finished" if whole else "stopped early"))

    def on_trial_error(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        number = trial.config["number"]
        if number not in self.log.trials:  # its process never came up
            self.log.start(number, trial.config["settings"])
        self.ended(self.log.end(number, "failed", "its process died too often"))

    def on_step_end(self, iteration: int, trials: list[Any], **info: Any) -> None:
        """What the trials do is a sign that the attempt lives: the beat of the youngest is the attempt's."""
        jobs = (trial_job(self.job, t.number) for t in self.log.of_status("running"))
        beats = [beat.stat().st_mtime for j in jobs if (beat := AttemptFolder(j.root).beat).exists()]
        if beats and (not self.folder.beat.exists() or max(beats) > self.folder.beat.stat().st_mtime):
            self.folder.beat.touch()


# ------------------------------------------------------------------------------------------------ a trial


def run_trial(config: dict[str, Any], job: dict[str, Any], gpus: float) -> None:
    """Fit with the settings of `config` in a place of its own; begun before, it goes on from its checkpoint.

    What goes wrong is reported and not raised: Ray would try again, and get the same.
    """
    whole = FitJob.model_validate(job)
    folder = AttemptFolder(whole.root)
    hold_meter(folder, f"trial-{config['number']}", gpus)
    trial = trial_job(whole, config["number"])
    trial.place.mkdir(parents=True, exist_ok=True)
    known = [loss for t in read_trials(folder.trials) if t.number == config["number"] for loss in t.losses]
    least = min(known, default=math.inf)

    def tell(row: dict[str, Any]) -> None:
        nonlocal least
        least = min(least, row["validation"])
        tune.report({EPOCH: row["epoch"], "validation": row["validation"], BEST: least})

    try:
        with AttemptFolder(trial.root).beating():  # boosting has no loop of ours that would
            for row in AttemptFolder(trial.root).read_epochs()[len(known) :]:
                tell(row)  # its driver died before it had written them down
            fitted = fit(with_settings(trial, config["settings"]), tell)
    except Exception as error:  # noqa: BLE001  (a trial may fail, the tuning goes on)
        tune.report({EPOCH: 0, BEST: math.inf, "failed": f"{type(error).__name__}: {error}"[:500]})
        return
    loss = fitted.validation_loss
    if math.isinf(least) and loss is not None:  # a kind without epochs, or one that had been fitted before
        tell({"epoch": 1, "validation": loss})
    tune.report({EPOCH: 0, BEST: least, "fitted": True})


METERS: list[Any] = []  # this process's; it runs one trial after the other


def hold_meter(folder: AttemptFolder, role: str, gpus: float) -> None:
    """Measure this process until it ends, under the name of its first trial."""
    from pipelines.training.usage import Meter

    if not METERS:
        METERS.append(Meter(folder, role, gpus))
        METERS[0].__enter__()
        atexit.register(METERS[0].__exit__, None, None, None)
