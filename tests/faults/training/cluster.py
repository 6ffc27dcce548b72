"""A Ray cluster of our own whose nodes may be killed: a head that runs no workers, and nodes that do."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import sys
import tempfile
from pathlib import Path

import psutil

from evergreen.processes import Process, descendants, free_ports, start, stop_all, wait_for_http
from evergreen.stack import LOOPBACK, ray_command, ray_settings, write_secret
from pipelines.environment import child_environment
from pipelines.home import Home
from pipelines.training.processes import wait_until

PARTS = ("ray", "gcs", "client", "agent")
# `evergreen up` listens on loopback alone, where Ray lets no second node join: this one does not.
MANY_NODES = {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "1"}
JOINED = "Ray runtime started"
NODES = 2  # of one CPU each: workers compute with one thread, however many nodes there are


class Cluster:
    """The head as `evergreen up` starts it, but without CPUs, and `NODES` beside it on this machine."""

    def __init__(self, home: Home) -> None:
        self.home, self.head, self.nodes = home, list[Process](), list[Process]()
        self.ports = dict(zip(PARTS, free_ports(len(PARTS)), strict=True))
        self._started = 0

    @property
    def settings(self) -> dict[str, str]:
        """What a caller of `fit_model` must know."""
        jobs = f"http://{LOOPBACK}:{self.ports['ray']}"
        return {**ray_settings(self.home, jobs), **MANY_NODES}

    def up(self) -> None:
        """Start all of it; again after it was killed, at the same address."""
        self.home.root.mkdir(parents=True, exist_ok=True)
        write_secret(self.home.root / "ray-token")
        self.folder = Path(tempfile.mkdtemp(prefix="evergreen-ray-"))
        self.head = [self._start("head", [*ray_command(self.ports, self.folder), "--num-cpus=0"])]
        url = f"{self.settings['EVERGREEN_RAY_JOBS']}/api/version"
        assert wait_for_http(url, self.head[0], 120), self._log("head").read_text()[-3000:]
        self.add_nodes(NODES)

    def add_nodes(self, count: int) -> None:
        """More nodes until there are so many, with resources of their own; returns when they have joined."""
        python = str(self.folder / "venv" / Path(sys.executable).relative_to(sys.prefix))
        words = ["start", "--block", "--disable-usage-stats", f"--address={LOOPBACK}:{self.ports['gcs']}"]
        words += ["--num-cpus=1", f"--object-store-memory={128 << 20}"]
        while len(self.nodes) < count:  # one by one: at once they take each other's ports
            self._started += 1
            name = f"node-{self._started}"
            node, log = self._start(name, [python, "-m", "ray.scripts.scripts", *words]), self._log(name)
            self.nodes.append(node)
            wait_until(lambda log=log: JOINED in log.read_text(), 30)  # type: ignore[misc]
            assert JOINED in log.read_text(), log.read_text()[-3000:]

    def _log(self, name: str) -> Path:
        return self.home.root / f"{name}.log"

    def _start(self, name: str, command: list[str]) -> Process:
        environment = child_environment(self.settings)
        environment.pop("RAY_ADDRESS", None)
        return start(name, command, self._log(name), environment)

    def find(self, words: str) -> list[int]:
        """Processes of this cluster whose titles contain `words`."""
        found = []
        for one in [one for node in [*self.head, *self.nodes] for one in descendants(node)]:
            with contextlib.suppress(psutil.NoSuchProcess):
                if words in " ".join(one.cmdline()):
                    found.append(one.pid)
        return found

    def node_of(self, pid: int) -> list[Process]:
        """The node on which a process runs, if it does."""
        return [node for node in self.nodes if pid in [one.pid for one in descendants(node)]]

    def kill(self, nodes: list[Process]) -> None:
        """SIGKILL to all processes of nodes at once, as when a machine is gone."""
        for one in [one for node in nodes for one in descendants(node)]:
            with contextlib.suppress(psutil.NoSuchProcess):
                one.kill()
        self.head = [node for node in self.head if node not in nodes]
        self.nodes = [node for node in self.nodes if node not in nodes]

    def down(self) -> None:
        stop_all([*self.nodes, *self.head])
        shutil.rmtree(self.folder, ignore_errors=True)


def kill_processes(pids: list[int]) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
