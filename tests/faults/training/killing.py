"""One training, its caller in a process of its own, and what is killed of it."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import torch

from pipelines.config import PipelineConfig
from pipelines.environment import child_environment
from pipelines.home import Home
from pipelines.ledger import Ledger
from pipelines.records import Attempt, TrainedModel, TrainOutcome
from pipelines.training.attempts import plan_attempt
from pipelines.training.folder import AttemptFolder
from tests.pipelines.conftest import definition, keep_rows, trips

EPOCHS = 24
CALLER = """
import json, sys
from pathlib import Path
from pipelines.config import PipelineConfig
from pipelines.errors import EvergreenError
from pipelines.home import Home
from pipelines.outcomes import accounted
from pipelines.records import Attempt
from pipelines.training.attempts import fit_model
spec = json.loads(Path(sys.argv[1]).read_text())
config, attempt = PipelineConfig.model_validate(spec["config"]), Attempt.model_validate(spec["attempt"])
try:
    with accounted(config, Home(Path(spec["home"])), attempt):
        fit_model(config, attempt)
except EvergreenError as error:
    sys.exit(f"{type(error).__name__}: {error}")
"""


@dataclass(frozen=True)
class Ending:
    """How a call of `fit_model` ended: `said` is the error, `result` the model."""

    said: str
    result: TrainedModel | None


class Training:
    """A small training in a home of its own; equal words train equal models.

    `own` are sections of the definition other than `training`.
    """

    def __init__(
        self,
        root: Path,
        settings: dict[str, str] | None = None,
        own: dict[str, Any] | None = None,
        **training: Any,
    ) -> None:
        self.home = home = Home(root)
        plain = {"epochs": EPOCHS, "patience": EPOCHS, "batch_size": 8, "refit": False, "failures": 6}
        self.config: PipelineConfig = definition(
            **{"training": plain | training, "split": {"by": "random"}, **(own or {})}
        )
        self.attempt: Attempt = plan_attempt(self.config, home, keep_rows(trips(600), home), None)
        self.folder, self.settings = AttemptFolder.of(self.attempt), settings or {}
        self.started = self.seconds = 0.0

    def call(self) -> None:
        """`fit_model` in a process of its own, with its end in the ledger, as a flow run has it."""
        spec = self.folder.root.parent / "call.json"
        spec.parent.mkdir(parents=True, exist_ok=True)
        words = {"config": self.config.model_dump(mode="json"), "attempt": self.attempt.model_dump()}
        spec.write_text(json.dumps({**words, "home": str(self.home.root)}))
        with (spec.parent / "said").open("wb") as said:
            self.caller = subprocess.Popen(
                [sys.executable, "-c", CALLER, str(spec)], env=child_environment(self.settings), stderr=said
            )
        self.started = time.monotonic()

    def ending(self) -> Ending:
        """Wait for the caller."""
        self.caller.wait()
        said = (self.folder.root.parent / "said").read_text().strip()
        found = self.folder.result
        trained = TrainedModel.model_validate_json(found.read_text()) if found.exists() else None
        self.seconds = time.monotonic() - self.started
        return Ending(said, trained)

    def outcomes(self) -> dict[str, TrainOutcome | None]:
        """What the ledger knows of each attempt, None of one that was not judged."""
        ledger = Ledger.open(self.home)
        return {one.id: one.outcome for one in ledger.attempts(self.attempt.pipeline)}

    def told(self) -> list[int]:
        """The epochs in the order in which they were told, repeated ones twice."""
        path = self.folder.progress
        return [json.loads(line)["epoch"] for line in path.read_text().splitlines()] if path.exists() else []

    def wait_for_epoch(self, epoch: int) -> float:
        """Until so many were told, or the caller ended; seconds since the call."""
        while len(self.told()) < epoch and self.caller.poll() is None:
            time.sleep(0.01)
        return time.monotonic() - self.started

    def pids(self, role: str) -> list[int]:
        """Living processes of a role, as each says of itself in `usage`, the latest one last."""
        names = [path.name.rsplit("-", 2)[1:] for path in self.folder.usage.glob(f"{role}-*.json")]
        pids = [int(pid) for pid, _ in sorted(names, key=lambda name: name[1])]
        return [pid for pid in pids if psutil.pid_exists(pid)]

    def wait_for(self, seconds: float) -> None:
        """Until so long after the call, or the caller ended."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.caller.wait(max(0.0, self.started + seconds - time.monotonic()))


def weights(trained: TrainedModel) -> dict[str, torch.Tensor]:
    found: dict[str, torch.Tensor] = torch.load(Path(trained.folder) / "weights.pt", weights_only=True)
    return found


def same_model(one: TrainedModel, other: TrainedModel) -> bool:
    """Whether the weights agree bit for bit."""
    first, second = weights(one), weights(other)
    return list(first) == list(second) and all(torch.equal(first[name], second[name]) for name in first)
