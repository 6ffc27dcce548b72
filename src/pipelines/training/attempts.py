"""An attempt is a process of its own, under a stable id: start it or attach to it, follow it, stop it."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Sequence
from typing import Any

from pipelines.config import PipelineConfig
from pipelines.files import write_whole
from pipelines.home import Home
from pipelines.models.code import hash_sources, keep_code, own_references, read_sources
from pipelines.progress import EpochLog, log
from pipelines.records import Attempt, Snapshot, TrainedModel
from pipelines.training.care import Care, log_hint
from pipelines.training.folder import AttemptFolder, ProgressReader, read_error
from pipelines.training.launchers import choose_launcher

# Raised when a change of our code changes what is learnt from the same data and definition.
TRAINING_VERSION = "6"
# Of `data` and `columns` the rest says how rows are read, and the snapshot's fingerprint what came of it.
# Nothing is learnt from `gates`; they are here since a promotion is found again by its attempt's id.
LEARNT_FROM: dict[str, Any] = dict.fromkeys(
    ["pipeline", "task", "metric", "split", "model", "features", "training", "tuning", "gates"], True
) | {"data": {"target", "timestamp", "entity"}, "columns": {"__all__": {"type", "use"}}}
HOW_IT_RUNS = {"timeout", "stall", "failures", "checkpoints"}
POLL_SECONDS = 0.2

# Called at each poll with the epochs told since the last call (often none), and once after the end.
Watch = Callable[[list[dict[str, Any]]], None]


def plan_attempt(config: PipelineConfig, home: Home, snapshot: Snapshot, cause: str | None) -> Attempt:
    """The attempt that this snapshot and definition ask for.

    The same two, and the same code of the user's where there is any, give the same id, whatever the cause.
    Raises ConfigError where that code is not there.
    """
    learnt_from = config.model_dump(mode="json", include=LEARNT_FROM, exclude={"training": HOW_IT_RUNS})
    parts = [TRAINING_VERSION, snapshot.fingerprint, learnt_from]
    if own_references(config):
        parts.append(hash_sources(read_sources(config)))
    key = json.dumps(parts, sort_keys=True)
    attempt_id = f"{config.pipeline}-{hashlib.sha256(key.encode()).hexdigest()[:12]}"
    folder = home.pipeline(config.pipeline).attempts / attempt_id
    return Attempt(
        id=attempt_id, pipeline=config.pipeline, snapshot=snapshot, folder=str(folder), cause=cause
    )


def fit_model(config: PipelineConfig, attempt: Attempt, watches: Sequence[Watch] = ()) -> TrainedModel:
    """Train, or attach to the training that runs already, or take its result where it has one.

    `watches` see each epoch once, beside the lines in the log. Raises TrainingFailed with the driver's own
    words, DataError, or StackError where the cluster is gone. Interrupted (a cancel, Ctrl-C), it stops the
    training.
    """
    folder = AttemptFolder.of(attempt)
    if not folder.result.exists():
        folder.root.mkdir(parents=True, exist_ok=True)
        log.info("Training attempt %s", attempt.id)
        config = keep_code(config, folder.code)
        # A driver reads the snapshot and writes checkpoints: it needs no source, but their address.
        kept = config.without_secrets().model_copy(update={"training": config.training})
        spec = {
            "config": kept.model_dump(mode="json"),
            "attempt": attempt.model_dump(),
            "asked": time.time(),
        }
        write_whole(folder.spec, json.dumps(spec))
        folder.error.unlink(missing_ok=True)
        with EpochLog() as lines:
            follow(Care(choose_launcher(attempt), attempt, config.training), [lines, *watches])
    return TrainedModel.model_validate_json(folder.result.read_bytes())


def follow(care: Care, watches: Sequence[Watch]) -> None:
    """Return when there is a result; a driver that dies or hangs is started again while the budget lasts.

    Whoever is killed while following leaves the budget as it is to the next one; a call that says how it
    ended leaves a new one.
    """
    folder = care.folder
    reader, told = ProgressReader(folder), Told(watches)
    try:
        while not folder.result.exists():
            raise_failure(folder, care.attempt)
            care.keep_running()
            time.sleep(POLL_SECONDS)
            told(reader.read())
    except BaseException as error:
        # Prefect cancels a run with an exception of its own, which is no Exception.
        if not isinstance(error, Exception):
            care.launcher.stop()
        care.end()
        raise
    finally:
        told(reader.read())


def stop_attempt(home: Home, attempt_id: str) -> bool:
    """Stop the training of an attempt, whoever started it; whether there was one."""
    for pipeline in home.pipelines():
        folder = AttemptFolder(pipeline.attempts / attempt_id)
        if folder.spec.exists() and not folder.result.exists():
            spec = json.loads(folder.spec.read_text())
            launcher = choose_launcher(Attempt.model_validate(spec["attempt"]))
            if launcher.running():
                log.info("Stopping the training of %s", attempt_id)
                launcher.stop()
                folder.spent.unlink(missing_ok=True)
                return True
    return False


class Told:
    """All watches as one; of one that raises, the log says so once."""

    def __init__(self, watches: Sequence[Watch]) -> None:
        self.watches, self._broken = watches, set[int]()

    def __call__(self, rows: list[dict[str, Any]]) -> None:
        for number, watch in enumerate(self.watches):
            try:
                watch(rows)
            except Exception as error:  # noqa: BLE001  (who looks on must not end the training)
                if number not in self._broken:
                    self._broken.add(number)
                    log.warning("The training goes on, but is not shown: %s: %s", type(error).__name__, error)


def raise_failure(folder: AttemptFolder, attempt: Attempt) -> None:
    """Raise what the driver wrote, where it ended with an error: DataError where the rows are at fault."""
    if error := read_error(folder.error):
        hint = " ".join(filter(None, [error.hint, log_hint(folder)]))
        raise type(error)(f"{attempt.id}: {error.message}", hint)
