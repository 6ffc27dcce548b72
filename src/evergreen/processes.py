"""Starting and stopping our own processes, by their ids and no others."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict

if TYPE_CHECKING:
    import psutil

GRACE_SECONDS = 12.0


class Process(BaseModel):
    """A process that we started; `created` tells it from a later one with the same id."""

    model_config = ConfigDict(frozen=True)

    name: str
    pid: int
    created: float


def free_ports(count: int) -> list[int]:
    """Ports on loopback that nobody listens on, all different."""
    sockets = [socket.socket() for _ in range(count)]
    for s in sockets:
        s.bind(("127.0.0.1", 0))
    ports = [int(s.getsockname()[1]) for s in sockets]
    for s in sockets:
        s.close()
    return ports


def start(name: str, command: list[str], log: Path, environment: dict[str, str]) -> Process:
    """Start a program in a session of its own, its output in `log`."""
    import psutil

    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as file:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
            start_new_session=True,
            env=environment,
        )
    return Process(name=name, pid=process.pid, created=psutil.Process(process.pid).create_time())


def is_alive(process: Process) -> bool:
    """Whether this very process still runs."""
    import psutil

    try:
        found = psutil.Process(process.pid)
        return bool(found.create_time() == process.created and found.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def stop_all(processes: list[Process]) -> None:
    """End processes and all that they started: asked first, all at once, then forced."""
    import psutil

    families = [one for process in processes for one in descendants(process)]
    for process in processes:
        if is_alive(process):
            os.kill(process.pid, signal.SIGTERM)
    _, left = psutil.wait_procs(families, timeout=GRACE_SECONDS)
    for one in left:
        with contextlib.suppress(psutil.NoSuchProcess):
            one.kill()
    psutil.wait_procs(left, timeout=GRACE_SECONDS)


def descendants(process: Process) -> list[psutil.Process]:
    """The process and all below it, and what else is left in its session."""
    import psutil

    found = {}
    if is_alive(process):
        parent = psutil.Process(process.pid)
        found = {p.pid: p for p in [parent, *parent.children(recursive=True)]}
    for one in psutil.process_iter():
        with contextlib.suppress(ProcessLookupError, PermissionError, psutil.NoSuchProcess):
            if os.getsid(one.pid) == process.pid and one.create_time() >= process.created:
                found[one.pid] = one
    return list(found.values())


def wait_for_http(
    url: str, process: Process, seconds: float, words: str = "", token: str | None = None
) -> bool:
    """Whether `url` answers well, with these words, before the time is over and while the process lives."""
    import httpx

    deadline = time.monotonic() + seconds
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    with httpx.Client(trust_env=False, timeout=2, headers=headers) as client:
        while time.monotonic() < deadline and is_alive(process):
            try:
                answer = client.get(url)
                if answer.status_code < 500 and words in answer.text:
                    return True
            except httpx.HTTPError:
                pass
            time.sleep(0.2)
    return False
