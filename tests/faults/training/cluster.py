"""A Ray cluster of our own, as `evergreen up` starts it, whose nodes may be killed."""

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

PARTS = ("ray", "gcs", "client", "agent")


class Cluster:
    """A head node, and more nodes beside it."""

    def __init__(self, home: Home) -> None:
        self.home, self.nodes = home, list[Process]()
        self.ports = dict(zip(PARTS, free_ports(len(PARTS)), strict=True))

    @property
    def settings(self) -> dict[str, str]:
        """What a caller of `fit_model` must know."""
        return {**ray_settings(self.home), "EVERGREEN_RAY_JOBS": f"http://{LOOPBACK}:{self.ports['ray']}"}

    def up(self) -> None:
        """Start the head node; again after it was killed, at the same address."""
        self.home.root.mkdir(parents=True, exist_ok=True)
        write_secret(self.home.root / "ray-token")
        self.folder = Path(tempfile.mkdtemp(prefix="evergreen-ray-"))
        self.nodes = [self._start("head", ray_command(self.ports, self.folder))]
        url = f"{self.settings['EVERGREEN_RAY_JOBS']}/api/version"
        assert wait_for_http(url, self.nodes[0], 120), (self.home.root / "head.log").read_text()[-3000:]

    def add_node(self, cpus: int) -> None:
        """Another node on this machine, with resources of its own."""
        python = str(self.folder / "venv" / Path(sys.executable).relative_to(sys.prefix))
        words = ["start", "--block", "--disable-usage-stats", f"--address={LOOPBACK}:{self.ports['gcs']}"]
        words += [f"--num-cpus={cpus}", f"--node-ip-address={LOOPBACK}", f"--object-store-memory={128 << 20}"]
        self.nodes.append(self._start("node", [python, "-m", "ray.scripts.scripts", *words]))

    def _start(self, name: str, command: list[str]) -> Process:
        environment = child_environment(ray_settings(self.home))
        environment.pop("RAY_ADDRESS", None)
        return start(name, command, self.home.root / f"{name}.log", environment)

    def find(self, words: str) -> list[int]:
        """Processes of this cluster whose titles contain `words`."""
        found = []
        for one in [one for node in self.nodes for one in descendants(node)]:
            with contextlib.suppress(psutil.NoSuchProcess):
                if words in " ".join(one.cmdline()):
                    found.append(one.pid)
        return found

    def kill(self, node: Process) -> None:
        """SIGKILL to all processes of a node at once, as when its machine is gone."""
        for one in descendants(node):
            with contextlib.suppress(psutil.NoSuchProcess):
                one.kill()
        self.nodes.remove(node)

    def down(self) -> None:
        stop_all(self.nodes)
        shutil.rmtree(self.folder, ignore_errors=True)


def kill_processes(pids: list[int]) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
