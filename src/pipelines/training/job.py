"""What is asked of a family of models, and what it answers: the same for a training, a candidate, a trial."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

from pipelines.config import Training
from pipelines.models.bundle import Description
from pipelines.records import Record

# Called after each epoch with what it reported.
OnEpoch = Callable[[dict[str, Any]], None]


class FitJob(Record):
    """Fit one model on arrays that lie in `arrays`; everything it writes goes to `place`.

    `stage` tells the fits of one kind apart: a `refit` has no validation part, and its `epochs`, or for each
    model of boosting its `rounds`, are fixed. `name` is that of no other fit of any attempt: checkpoints lie
    under it. `root` is the attempt's folder, where progress is told.
    """

    name: str
    root: Path
    arrays: Path
    place: Path
    description: Description
    metric: str  # of the pipeline, to be told beside the loss
    training: Training  # with `epochs` and `batch_size` in numbers, see Training.for_rows
    stage: Literal["first", "tuned", "refit"] = "first"
    epochs: int | None = None
    rounds: list[int] = []

    @property
    def bundle(self) -> Path:
        return self.place / "bundle"

    @property
    def validated(self) -> bool:
        """Whether the validation part decides when to stop."""
        return self.stage != "refit"


class Fitted(Record):
    """A fitted model in `bundle`, and how good it was on the validation rows.

    `validation_losses` is the path of a .npy file with the loss of each validation row (None after a refit),
    see `families.measure`. To refit with: `epochs`, the best epoch of a network, and `rounds`, the best of
    each model of boosting.
    """

    kind: str
    bundle: Path
    validation_loss: float | None
    validation_losses: Path | None
    epochs: int | None
    rounds: list[int] = []
    seconds: float
    details: dict[str, float] = {}
