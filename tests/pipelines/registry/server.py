"""MLflow's own server, to be stopped and started while a test looks on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from evergreen.processes import free_ports
from evergreen.stack import NO_JOBS
from pipelines.environment import child_environment
from pipelines.registry.run_log import answers
from tests.waiting import until


class Server:
    """MLflow's own server on a store of its own."""

    def __init__(self, folder: Path) -> None:
        [self.port] = free_ports(1)
        self.uri = f"http://127.0.0.1:{self.port}"
        self.store = f"sqlite:///{folder / 'server.db'}"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        words = ["server", "--host", "127.0.0.1", "--port", str(self.port), "--workers", "1"]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "mlflow", *words, "--backend-store-uri", self.store],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            env=child_environment(NO_JOBS),
        )
        until(lambda: answers(self.uri))

    def stop(self) -> None:
        if self.process:
            self.process.terminate()
            self.process.wait(30)
            until(lambda: not answers(self.uri))

    def kill(self) -> None:
        """SIGKILL to all of it."""
        if self.process:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
