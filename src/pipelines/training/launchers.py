"""How the process of an attempt is started, found again and stopped: as a Ray Job, or as a child process."""

from __future__ import annotations

import fcntl
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from pipelines.environment import child_environment, variable
from pipelines.records import Attempt
from pipelines.training.folder import AttemptFolder


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
        self.attempt, self.folder = attempt, AttemptFolder.of(attempt)

    def running(self) -> bool:
        return is_locked(self.folder.lock)

    def start(self) -> None:
        """Start the driver and wait until it holds the lock, so that nobody starts a second one."""
        with self.folder.log.open("ab") as log:
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
        pid = self.folder.pid
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
        before = len(self._ids())
        submission = self.attempt.id if before == 0 else f"{self.attempt.id}.{before}"
        log = shlex.quote(str(AttemptFolder.of(self.attempt).log))
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
