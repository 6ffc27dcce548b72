"""How the process of an attempt is started, found again and stopped: as a Ray Job, or as a child process."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import shlex
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, NamedTuple, Protocol, TypeVar

from pipelines.environment import child_environment, variable
from pipelines.errors import StackError
from pipelines.records import Attempt
from pipelines.training.folder import AttemptFolder

DRIVER = "pipelines.training.driver"
STOP_SECONDS = 4.0  # to end by itself, before it is killed
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


def driver_command(*words: str) -> list[str]:
    return [python_path(), "-m", DRIVER, *words]


def python_path() -> str:
    """This interpreter by a path without a space: Ray puts it into a shell command, unquoted."""
    if " " not in sys.executable:
        return sys.executable
    folder = Path(tempfile.gettempdir()) / f"evergreen-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.stat().st_uid != os.getuid() or folder.is_symlink():
        return sys.executable  # somebody else's: better a Ray that does not start than their interpreter
    link = folder / hashlib.sha256(sys.prefix.encode()).hexdigest()[:12]
    with contextlib.suppress(FileExistsError):
        link.symlink_to(sys.prefix)
    return str(link / Path(sys.executable).relative_to(sys.prefix))


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
        log = shlex.quote(str(self.folder.log))
        command = shlex.join(driver_command(self.attempt.folder))
        name = self.attempt.id if before == 0 else f"{self.attempt.id}.{before}"
        self._ask(lambda: self._submit(name, f"exec {command} >> {log} 2>&1"))
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
                    raise self._gone() from error
            except RuntimeError as error:  # an answer, but none that its client can use
                if time.monotonic() > deadline:
                    raise self._refused(error) from error
            time.sleep(0.5)

    def _refused(self, error: RuntimeError) -> StackError:
        return StackError(
            f"{self.attempt.id}: the Ray cluster at {self.address} refuses: {error}",
            "Look at its dashboard, or start it again with `evergreen up`.",
        )

    def _gone(self) -> StackError:
        return StackError(
            f"{self.attempt.id}: the Ray cluster at {self.address} does not answer: its head node is gone,"
            " and the training with it.",
            "Start it again with `evergreen up`, then train again: it goes on from the last checkpoint.",
        )


# ---------------------------------------------------------------------------------------- processes


def popen_driver(*words: str, log: IO[bytes], stdin: int = subprocess.DEVNULL) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        driver_command(*words),
        stdin=stdin,
        stdout=log,
        stderr=log,
        start_new_session=True,
        env=child_environment(),
    )


class WarmDriver(NamedTuple):
    """A driver without an attempt, the environment it was started in, and what it says until it has one."""

    process: subprocess.Popen[bytes]
    environment: dict[str, str]
    words: IO[bytes]

    def send(self, folder: str) -> None:
        """Tell it the attempt's folder."""
        assert self.process.stdin is not None  # noqa: S101
        with contextlib.suppress(BrokenPipeError):  # it has just died
            self.process.stdin.write(folder.encode())
            self.process.stdin.close()

    def write_words(self, log: IO[bytes]) -> None:
        """Add what it said to the log of the attempt."""
        self.words.seek(0)
        log.write(self.words.read())


_warm: list[WarmDriver] = []  # at most one


def warm_up() -> None:
    """Start a driver that imports what it will need and waits for its attempt, while rows are still read.

    It ends with this process if no training comes. Without effect where the cluster starts drivers.
    """
    if not variable("EVERGREEN_RAY_JOBS") and not _warm:
        words = tempfile.TemporaryFile()  # noqa: SIM115  (it ends with the driver)
        process = popen_driver("--wait", stdin=subprocess.PIPE, log=words)
        _warm.append(WarmDriver(process, child_environment(), words))


@contextlib.contextmanager
def warm_driver() -> Iterator[None]:
    """`warm_up`, and the end of that driver when the block is over and nobody took it."""
    warm_up()
    try:
        yield
    finally:
        drop_warm()


def take_warm(log: IO[bytes]) -> WarmDriver | None:
    """The driver that waits, if it lives and has the environment that one started now would have.

    What one said that has died goes to `log`.
    """
    for warm in _warm:
        if warm.process.poll() is not None:
            warm.write_words(log)
        elif warm.environment == child_environment():
            return _warm.pop()
    drop_warm()
    return None


def drop_warm() -> None:
    """End the driver that waits."""
    while _warm:
        warm = _warm.pop()
        kill_group(warm.process)
        if warm.process.stdin:
            warm.process.stdin.close()
        warm.words.close()


def kill_group(process: subprocess.Popen[bytes]) -> None:
    """Kill a driver that we started and whatever it started; without effect on one that has ended."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def end_driver(folder: AttemptFolder) -> None:
    """End the driver of this host and whatever it started: it leads a process group."""
    import psutil

    for number, seconds in ((signal.SIGTERM, STOP_SECONDS), (signal.SIGKILL, STOP_SECONDS)):
        if not (is_locked(folder.lock) and folder.pid.exists()):
            return
        pid = int(folder.pid.read_text())
        with contextlib.suppress(psutil.NoSuchProcess, ProcessLookupError):
            if DRIVER in psutil.Process(pid).cmdline():
                os.killpg(pid, number)
        wait_until(lambda: not is_locked(folder.lock), seconds)


def wait_until(condition: Callable[[], bool], seconds: float) -> None:
    """Return when the condition holds or the time is over."""
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.02)


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
