"""The driver's process on this host: started ahead or for an attempt, known by its lock, ended as a group."""

from __future__ import annotations

import contextlib
import hashlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, NamedTuple

from pipelines.environment import child_environment, variable
from pipelines.lock import try_lock
from pipelines.training.folder import AttemptFolder

DRIVER = "pipelines.training.driver"
STOP_SECONDS = 4.0  # to end by itself, before it is killed


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
        return not try_lock(file.fileno())
