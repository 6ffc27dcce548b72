"""MLflow is gone for a minute while a training goes on: all of its epochs are there in the end."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from pipelines.registry.mlflow_store import connect
from pipelines.registry.run_log import RunLog, find_run
from pipelines.training.attempts import fit_model
from tests.faults.training.killing import EPOCHS, Training
from tests.pipelines.registry.server import Server
from tests.waiting import until

MINUTE = 60.0
# A network whose time is that of its sleep, on any machine: EPOCHS of them take 1.5 minutes.
SLOW = """
import time, torch
class Slow(torch.nn.Module):
    def __init__(self, inputs):
        super().__init__()
        self.line = torch.nn.Linear(inputs.shape[0], inputs.outputs)
    def forward(self, x):
        time.sleep(1.2 if self.training else 0)
        return self.line(x)
def build(inputs):
    return Slow(inputs)
"""


class Absence:
    """A watch that kills the server after the third epoch and starts it again a minute later."""

    def __init__(self, server: Server) -> None:
        self.server, self.told, self.gone, self.back = server, 0, 0.0, 0

    def __call__(self, rows: list[dict[str, Any]]) -> None:
        self.told += len(rows)
        if not self.gone and self.told >= 3:
            self.gone = time.monotonic()
            self.server.kill()
        elif self.gone and not self.back and time.monotonic() - self.gone > MINUTE:
            self.server.start()
            self.back = self.told


@pytest.mark.faults
def test_mlflow_killed_for_a_minute_misses_no_epoch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "slow.py").write_text(SLOW)
    server = Server(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", server.uri)
    server.start()
    try:
        own = {"model": {"kind": "slow:build"}, "folder": tmp_path}
        training = Training(tmp_path / "home", own=own, batch_size=90, workers=0)
        absence = Absence(server)
        with RunLog(training.config, training.home, training.attempt) as log:
            fit_model(training.config, training.attempt, [log, absence])
        assert 3 < absence.back < EPOCHS, "it came back while the training went on"
        client = connect(training.home)
        run = find_run(client, training.home, training.attempt)
        assert run is not None

        def sent() -> list[tuple[int, float, int]]:
            found = client.get_metric_history(run.info.run_id, "train_loss")
            return sorted((one.step, one.value, one.timestamp) for one in found)

        # A request that the server's end met is tried again after up to a minute, by MLflow's own client.
        until(lambda: len(sent()) == EPOCHS, 2 * MINUTE)
        rows = [json.loads(line) for line in training.folder.progress.read_text().splitlines()]
        assert sent() == [(row["epoch"], row["loss"], int(row["time"] * 1000)) for row in rows]
    finally:
        server.stop()
