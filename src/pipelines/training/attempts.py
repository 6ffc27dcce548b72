"""An attempt is a process of its own, under a stable id: start it or attach to it, follow it, stop it."""

from __future__ import annotations

import hashlib
import json
import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from pipelines.config import PipelineConfig, Training
from pipelines.errors import ConfigError, DataError, TrainingFailed
from pipelines.home import Home
from pipelines.models.code import hash_sources, keep_code, own_references, read_sources
from pipelines.progress import EpochLog, log
from pipelines.records import Attempt, Snapshot, TrainedModel
from pipelines.training.folder import AttemptFolder, ProgressReader, write_whole
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


def fit_model(
    config: PipelineConfig, attempt: Attempt, watches: Sequence[Watch] | None = None
) -> TrainedModel:
    """Train, or attach to the training that runs already, or take its result where it has one.

    `watches` see each epoch once; None is a line in the log. Raises TrainingFailed with the driver's own
    words, DataError, or StackError where the cluster is gone. Interrupted (a cancel, Ctrl-C), it stops the
    training.
    """
    folder = AttemptFolder.of(attempt)
    if not folder.result.exists():
        folder.root.mkdir(parents=True, exist_ok=True)
        log.info("Training attempt %s", attempt.id)
        config = keep_code(config, folder.code)
        spec = {
            "config": config.model_dump(mode="json"),
            "attempt": attempt.model_dump(),
            "asked": time.time(),
        }
        write_whole(folder.spec, json.dumps(spec))
        folder.error.unlink(missing_ok=True)
        follow(
            choose_launcher(attempt), attempt, config.training, [EpochLog()] if watches is None else watches
        )
    return TrainedModel.model_validate_json(folder.result.read_text())


def follow(launcher: Launcher, attempt: Attempt, training: Training, watches: Sequence[Watch]) -> None:
    """Return when there is a result; a driver that dies or hangs is started again while the budget lasts."""
    folder = AttemptFolder.of(attempt)
    reader, told, care = ProgressReader(folder), Told(watches), Care(launcher, attempt, training)
    try:
        while not folder.result.exists():
            raise_failure(folder, attempt)
            care.keep_running()
            time.sleep(POLL_SECONDS)
            told(reader.read())
    except BaseException as error:
        # Prefect cancels a run with an exception of its own, which is no Exception.
        if not isinstance(error, Exception):
            launcher.stop()
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


class Care:
    """Starts the driver, and again when it died or hangs: `training.failures` times, then TrainingFailed."""

    def __init__(self, launcher: Launcher, attempt: Attempt, training: Training) -> None:
        self.launcher, self.attempt, self.training = launcher, attempt, training
        self.folder = AttemptFolder.of(attempt)
        self.deaths: Counter[str] = Counter()
        self.deadline = time.monotonic() + training.timeout.total_seconds()
        self.since = time.time()  # the driver is known to be there since
        self.known = False  # that there is, or was, a driver
        self.folder.fault.unlink(missing_ok=True)

    def keep_running(self) -> None:
        """One look. Raises TrainingFailed when the budget or the time is over."""
        if time.monotonic() > self.deadline:
            self.launcher.stop()
            raise TrainingFailed(
                f"{self.attempt.id}: not done after {self.training.timeout.total_seconds():.0f} s.",
                "Raise `training.timeout`, or train less.",
            )
        if self.launcher.running():
            self.known = True
            if self._silence() > self.training.stall.total_seconds():
                self.launcher.stop()
                self._restart(f"no sign of progress for {self.training.stall.total_seconds():.0f} s")
        elif not (self.folder.result.exists() or self.folder.error.exists()):
            if self.known:
                self._restart(self._last_words())
            else:
                self._start()

    def _silence(self) -> float:
        """Seconds since the last sign of progress of this driver."""
        beat = self.folder.beat
        return time.time() - max(self.since, beat.stat().st_mtime if beat.exists() else 0.0)

    def _last_words(self) -> str:
        """What the driver said of its end; a killed one says nothing."""
        if not self.folder.fault.exists():
            return "the training process (driver) died"
        words = self.folder.fault.read_text()
        self.folder.fault.unlink()
        return words

    def _restart(self, death: str) -> None:
        self.deaths[death] += 1
        if self.deaths.total() > self.training.failures:
            raise TrainingFailed(
                f"{self.attempt.id}: given up after {self.deaths.total()} faults, and"
                f" {self.training.failures} may be survived (training.failures): {count_words(self.deaths)}.",
                f"{log_hint(self.folder)} Train again: it goes on from the last checkpoint.",
            )
        log.warning("%s: %s; it goes on from the last checkpoint", self.attempt.id, death)
        self._start()

    def _start(self) -> None:
        self.launcher.start()
        self.since, self.known = time.time(), True


def count_words(deaths: Counter[str]) -> str:
    return ", ".join(f"{what} ({times} times)" if times > 1 else what for what, times in deaths.items())


def raise_failure(folder: AttemptFolder, attempt: Attempt) -> None:
    """Raise what the driver wrote, where it ended with an error: DataError where the rows are at fault."""
    if folder.error.exists():
        error = json.loads(folder.error.read_text())
        wrong = ConfigError if error.get("config") else TrainingFailed
        kind = DataError if error.get("data") else wrong
        raise kind(
            f"{attempt.id}: {error['message']}", " ".join(filter(None, [error.get("hint"), log_hint(folder)]))
        )


def log_hint(folder: AttemptFolder) -> str:
    return f"The log is {folder.log}."
