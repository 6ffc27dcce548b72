"""An attempt is a process of its own, under a stable id: start it or attach to it, follow it, stop it."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable
from typing import Any

from pipelines.config import PipelineConfig
from pipelines.errors import DataError, TrainingFailed
from pipelines.home import Home
from pipelines.progress import EpochLog, log
from pipelines.records import Attempt, Snapshot, TrainedModel
from pipelines.training.folder import AttemptFolder, write_whole
from pipelines.training.launchers import Launcher, choose_launcher

# Raised when a change of our code changes what is learnt from the same data and definition.
TRAINING_VERSION = "2"
LEARNT_FROM = {
    "pipeline",
    "task",
    "metric",
    "data",
    "columns",
    "split",
    "model",
    "features",
    "training",
    "tuning",
    "gates",
}
HOW_IT_RUNS = {"timeout", "stall", "failures", "checkpoints"}
MOST_STARTS = 3  # a driver that dies is started again, and goes on from the last checkpoint
POLL_SECONDS = 0.2

Progress = Callable[[dict[str, Any]], None]


def plan_attempt(config: PipelineConfig, home: Home, snapshot: Snapshot, cause: str | None) -> Attempt:
    """The attempt that this snapshot and definition ask for.

    The same two give the same id, whatever the cause.
    """
    learnt_from = config.model_dump(mode="json", include=LEARNT_FROM, exclude={"training": HOW_IT_RUNS})
    key = json.dumps([TRAINING_VERSION, snapshot.fingerprint, learnt_from], sort_keys=True)
    attempt_id = f"{config.pipeline}-{hashlib.sha256(key.encode()).hexdigest()[:12]}"
    folder = home.pipeline(config.pipeline).attempts / attempt_id
    return Attempt(
        id=attempt_id, pipeline=config.pipeline, snapshot=snapshot, folder=str(folder), cause=cause
    )


def fit_model(config: PipelineConfig, attempt: Attempt) -> TrainedModel:
    """Train, or attach to the training that runs already, or take its result where it has one.

    Raises TrainingFailed with the driver's own words. Interrupted (a cancel, Ctrl-C), it stops the training.
    """
    folder = AttemptFolder.of(attempt)
    if not folder.result.exists():
        folder.root.mkdir(parents=True, exist_ok=True)
        log.info("Training attempt %s", attempt.id)
        write_whole(
            folder.spec,
            json.dumps({"config": config.model_dump(mode="json"), "attempt": attempt.model_dump()}),
        )
        folder.error.unlink(missing_ok=True)
        follow(choose_launcher(attempt), attempt, config.training.timeout.total_seconds(), EpochLog())
    return TrainedModel.model_validate_json(folder.result.read_text())


def follow(launcher: Launcher, attempt: Attempt, seconds: float, progress: Progress) -> None:
    """Return when there is a result; a driver that dies without one is started again, a few times."""
    folder, deadline, starts, seen = AttemptFolder.of(attempt), time.monotonic() + seconds, 0, 0
    try:
        while not folder.result.exists():
            raise_failure(folder, attempt)
            if not launcher.running():
                if starts == MOST_STARTS:
                    raise TrainingFailed(
                        f"{attempt.id}: the training process died {starts} times.", log_hint(folder)
                    )
                launcher.start()
                starts += 1
            if time.monotonic() > deadline:
                launcher.stop()
                raise TrainingFailed(
                    f"{attempt.id}: not done after {seconds:.0f} s.",
                    "Raise `training.timeout`, or train less.",
                )
            time.sleep(POLL_SECONDS)
            seen = report_progress(folder, seen, progress)
    except BaseException as error:
        # Prefect cancels a run with an exception of its own, which is no Exception.
        if not isinstance(error, Exception):
            launcher.stop()
        raise


def raise_failure(folder: AttemptFolder, attempt: Attempt) -> None:
    """Raise what the driver wrote, where it ended with an error: DataError where the rows are at fault."""
    if folder.error.exists():
        error = json.loads(folder.error.read_text())
        kind = DataError if error.get("data") else TrainingFailed
        raise kind(
            f"{attempt.id}: {error['message']}", " ".join(filter(None, [error.get("hint"), log_hint(folder)]))
        )


def log_hint(folder: AttemptFolder) -> str:
    return f"The log is {folder.log}."


def report_progress(folder: AttemptFolder, seen: int, progress: Progress) -> int:
    """Hand on the epochs that have come since; how many there are now."""
    epochs = folder.read_epochs()
    for epoch in epochs[seen:]:
        progress(epoch)
    return max(seen, len(epochs))
