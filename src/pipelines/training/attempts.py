"""An attempt is a process of its own, under a stable id: start it or attach to it, follow it, stop it."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from pipelines.config import PipelineConfig
from pipelines.environment import child_environment, variable
from pipelines.errors import DataError, TrainingFailed
from pipelines.home import Home
from pipelines.progress import EpochLog, log
from pipelines.records import Attempt, Snapshot, TrainedModel

# Raised when a change of our code changes what is learnt from the same data and definition.
TRAINING_VERSION = "1"
MOST_STARTS = 3  # a driver that dies is started again, and goes on from the last checkpoint
POLL_SECONDS = 0.2

Progress = Callable[[dict[str, Any]], None]


def plan_attempt(config: PipelineConfig, home: Home, snapshot: Snapshot, cause: str | None) -> Attempt:
    """The attempt that this snapshot and definition ask for.

    The same two give the same id, whatever the cause.
    """
    learnt_from = config.model_dump(
        mode="json",
        include={"pipeline", "task", "metric", "data", "columns", "split", "model", "training", "gates"},
    )
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
    folder = Path(attempt.folder)
    result = folder / "result.json"
    if not result.exists():
        folder.mkdir(parents=True, exist_ok=True)
        log.info("Training attempt %s", attempt.id)
        write_whole(
            folder / "spec.json",
            json.dumps({"config": config.model_dump(mode="json"), "attempt": attempt.model_dump()}),
        )
        (folder / "error.json").unlink(missing_ok=True)
        follow(choose_launcher(attempt), attempt, config.training.timeout.total_seconds(), EpochLog())
    return TrainedModel.model_validate_json(result.read_text())


def follow(launcher: Launcher, attempt: Attempt, seconds: float, progress: Progress) -> None:
    """Return when there is a result; a driver that dies without one is started again, a few times."""
    folder, deadline, starts, seen = Path(attempt.folder), time.monotonic() + seconds, 0, 0
    try:
        while not (folder / "result.json").exists():
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


def raise_failure(folder: Path, attempt: Attempt) -> None:
    """Raise what the driver wrote, where it ended with an error: DataError where the rows are at fault."""
    path = folder / "error.json"
    if path.exists():
        error = json.loads(path.read_text())
        kind = DataError if error.get("data") else TrainingFailed
        raise kind(
            f"{attempt.id}: {error['message']}", " ".join(filter(None, [error.get("hint"), log_hint(folder)]))
        )


def log_hint(folder: Path) -> str:
    return f"The log is {folder / 'log'}."


def report_progress(folder: Path, seen: int, progress: Progress) -> int:
    """Hand on the epochs that have come since; how many there are now."""
    epochs = read_epochs(folder)
    for epoch in epochs[seen:]:
        progress(epoch)
    return max(seen, len(epochs))


def read_epochs(folder: Path) -> list[dict[str, Any]]:
    """What each epoch reported: epoch, epochs, loss, validation, seconds, samples_per_second."""
    path = folder / "progress.jsonl"
    lines = path.read_text().splitlines() if path.exists() else []
    by_epoch = {row["epoch"]: row for row in map(parse_line, lines) if row}
    return [by_epoch[epoch] for epoch in sorted(by_epoch)]


def parse_line(line: str) -> dict[str, Any] | None:
    """A line that is being written is not one yet."""
    try:
        parsed: dict[str, Any] = json.loads(line)
    except ValueError:
        return None
    return parsed


def write_whole(path: Path, text: str) -> None:
    """Write a file that is either there in full or not."""
    draft = path.with_suffix(".part")
    draft.write_text(text)
    draft.replace(path)


# ------------------------------------------------------------------------------------------------ launchers


class Launcher(Protocol):
    """How a driver process is started, found again and stopped."""

    def running(self) -> bool: ...
    def start(self) -> None: ...
    def stop(self) -> None: ...


def choose_launcher(attempt: Attempt) -> Launcher:
    """A Ray Job where a cluster is at hand, else a child process."""
    address = variable("EVERGREEN_RAY_JOBS")
    return RayJob(attempt, address) if address else ChildProcess(attempt)


def driver_command(attempt: Attempt) -> list[str]:
    return [sys.executable, "-m", "pipelines.training.driver", attempt.folder]


class ChildProcess:
    """The driver in a session of its own, so that it outlives a flow that is killed."""

    def __init__(self, attempt: Attempt) -> None:
        self.attempt, self.folder = attempt, Path(attempt.folder)

    def running(self) -> bool:
        return is_locked(self.folder / "lock")

    def start(self) -> None:
        """Start the driver and wait until it holds the lock, so that nobody starts a second one."""
        with (self.folder / "log").open("ab") as log:
            process = subprocess.Popen(
                driver_command(self.attempt),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                env=child_environment(),
            )
        while process.poll() is None and not self.running():
            time.sleep(0.05)

    def stop(self) -> None:
        """End the driver and whatever it started: it leads a process group."""
        pid = self.folder / "pid"
        if self.running() and pid.exists():
            os.killpg(int(pid.read_text()), signal.SIGTERM)
            wait_until(lambda: not self.running(), 10)
            if self.running():
                os.killpg(int(pid.read_text()), signal.SIGKILL)


class RayJob:
    """The driver as a Ray Job whose submission id is the attempt's."""

    def __init__(self, attempt: Attempt, address: str) -> None:
        from ray.job_submission import JobSubmissionClient

        self.attempt, self.client = attempt, JobSubmissionClient(address)

    def _ids(self) -> list[str]:
        """This attempt's submissions, first to last.

        Ray never takes an id twice, so later ones carry a number.
        """
        found = [job.submission_id for job in self.client.list_jobs() if job.submission_id]
        mine = [i for i in found if i == self.attempt.id or i.startswith(f"{self.attempt.id}.")]
        return sorted(mine, key=lambda i: (len(i), i))

    def running(self) -> bool:
        ids = self._ids()
        return bool(ids) and not self.client.get_job_status(ids[-1]).is_terminal()

    def start(self) -> None:
        import shlex

        before = len(self._ids())
        submission = self.attempt.id if before == 0 else f"{self.attempt.id}.{before}"
        log = shlex.quote(str(Path(self.attempt.folder) / "log"))
        self.client.submit_job(
            entrypoint=f"exec {shlex.join(driver_command(self.attempt))} >> {log} 2>&1",
            submission_id=submission,
            metadata={"pipeline": self.attempt.pipeline, "snapshot": self.attempt.snapshot.id},
        )

    def stop(self) -> None:
        for submission in self._ids()[-1:]:
            self.client.stop_job(submission)
            wait_until(lambda: not self.running(), 10)


def wait_until(condition: Callable[[], bool], seconds: float) -> None:
    """Return when the condition holds or the time is over."""
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.1)


def is_locked(path: Path) -> bool:
    """Whether a living process holds the lock.

    The kernel lets go of it when the process dies, however it dies.
    """
    if not path.exists():
        return False
    with path.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False
