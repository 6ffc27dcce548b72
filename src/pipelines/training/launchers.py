"""How the process of an attempt is started, found again and stopped: as a Ray Job, or as a child process."""

from __future__ import annotations

import contextlib
import shlex
import time
from collections.abc import Callable
from typing import Protocol, TypeVar

from pipelines.environment import variable
from pipelines.errors import StackError
from pipelines.records import Attempt
from pipelines.training.folder import AttemptFolder
from pipelines.training.processes import (
    STOP_SECONDS,
    driver_command,
    end_driver,
    is_locked,
    kill_group,
    popen_driver,
    take_warm,
    wait_until,
)

ASK_SECONDS = 5.0  # between two looks at the cluster while the driver holds its lock
LOCK_SECONDS = 60.0  # for a driver to start and take its lock
PATIENCE_SECONDS = 10.0  # for a cluster that does not answer
Answer = TypeVar("Answer")


class Launcher(Protocol):
    """How a driver process is started, found again and stopped."""

    def running(self) -> bool: ...
    def start(self) -> None: ...
    def stop(self) -> None: ...


def choose_launcher(attempt: Attempt) -> Launcher:
    """A Ray Job where a cluster is at hand, else a child process."""
    address = variable("EVERGREEN_RAY_JOBS")
    return RayJob(attempt, address) if address else ChildProcess(attempt)


class ChildProcess:
    """The driver in a session of its own, so that it outlives a flow that is killed."""

    def __init__(self, attempt: Attempt) -> None:
        self.attempt, self.folder = attempt, AttemptFolder.of(attempt)

    def running(self) -> bool:
        return is_locked(self.folder.lock)

    def start(self) -> None:
        """Start the driver and wait until it holds the lock, so that nobody starts a second one.

        One that does not within a minute is killed: then nothing runs, as if it had died. Interrupted, this
        leaves no driver behind.
        """
        with self.folder.log.open("ab") as log:
            warm = take_warm(log)
            process = warm.process if warm else popen_driver(self.attempt.folder, log=log)
            if warm:
                warm.send(self.attempt.folder)
            try:
                wait_until(lambda: process.poll() is not None or self.running(), LOCK_SECONDS)
            except BaseException:
                kill_group(process)
                raise
            if not self.running():
                kill_group(process)
            if warm:
                warm.write_words(log)

    def stop(self) -> None:
        end_driver(self.folder)


class RayJob:
    """The driver as a Ray Job whose submission id is the attempt's.

    Raises StackError where the cluster does not answer for ten seconds.
    """

    def __init__(self, attempt: Attempt, address: str) -> None:
        from ray.job_submission import JobSubmissionClient

        self.attempt, self.folder, self.address = attempt, AttemptFolder.of(attempt), address
        self.client = self._ask(lambda: JobSubmissionClient(address))
        self._active, self._asked = False, 0.0

    def running(self) -> bool:
        """Whether the driver holds its lock, or its job has still to begin."""
        locked = is_locked(self.folder.lock)
        if time.monotonic() - self._asked > (ASK_SECONDS if locked else 0.5):
            ids = self._ids()
            self._active = (
                bool(ids) and not self._ask(lambda: self.client.get_job_status(ids[-1])).is_terminal()
            )
            self._asked = time.monotonic()
        return locked or self._active

    def start(self) -> None:
        before = len(self._ids())
        threads = variable("OMP_NUM_THREADS")  # as a child process would have it; else Ray says 1
        told = ["env", f"OMP_NUM_THREADS={threads}"] if threads else []
        command = shlex.join([*told, *driver_command(self.attempt.folder)])
        # Ray's dashboard shows what the job says, too. `tee` ends with the last of those who write to it.
        keep = f'trap "" TERM; exec tee -a {shlex.quote(str(self.folder.log))}'
        script = shlex.join(["bash", "-c", f"exec {command} > >({keep}) 2>&1"])
        name = self.attempt.id if before == 0 else f"{self.attempt.id}.{before}"
        self._ask(lambda: self._submit(name, f"exec {script}"))
        self._active, self._asked = True, time.monotonic()

    def stop(self) -> None:
        """Stop the job, then whatever of it does not end; also where the cluster is gone."""
        with contextlib.suppress(StackError):
            for submission in self._ids()[-1:]:
                self._ask(lambda name=submission: self.client.stop_job(name))  # type: ignore[misc]  # a lambda
                wait_until(lambda: not is_locked(self.folder.lock), STOP_SECONDS)
        end_driver(self.folder)
        self._asked = 0.0

    def _submit(self, name: str, entrypoint: str) -> None:
        """Submit unless it is there: an answer that was lost is asked for again, and Ray refuses the name."""
        about = {"pipeline": self.attempt.pipeline, "snapshot": self.attempt.snapshot.id}
        try:
            self.client.submit_job(entrypoint=entrypoint, submission_id=name, metadata=about)
        except RuntimeError:
            if name not in self._ids():
                raise

    def _ids(self) -> list[str]:
        """This attempt's submissions, first to last.

        Ray never takes an id twice, so later ones carry a number.
        """
        jobs = self._ask(self.client.list_jobs)
        found = [job.submission_id for job in jobs if job.submission_id]
        mine = [i for i in found if i == self.attempt.id or i.startswith(f"{self.attempt.id}.")]
        return sorted(mine, key=lambda i: (len(i), i))

    def _ask(self, question: Callable[[], Answer]) -> Answer:
        """The cluster's answer; a head node that is busy gets some time."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                return question()
            except OSError as error:  # requests' own errors among them
                if time.monotonic() > deadline:
                    raise self._gone(error) from error
            except RuntimeError as error:  # an answer, but none that its client can use
                if time.monotonic() > deadline:
                    raise self._refused(error) from error
            time.sleep(0.5)

    def _refused(self, error: RuntimeError) -> StackError:
        return StackError(
            f"{self.attempt.id}: the Ray cluster at {self.address} refuses: {error}",
            "Look at its dashboard, or start it again with `evergreen up`.",
        )

    def _gone(self, error: OSError) -> StackError:
        return StackError(
            f"{self.attempt.id}: the Ray cluster at {self.address} does not answer: its head node is gone,"
            f" and the training with it ({type(error).__name__}: {error}).",
            "Start it again with `evergreen up`, then train again: it goes on from the last checkpoint.",
        )
