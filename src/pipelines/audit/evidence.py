"""What there is to answer the tests of the ML Test Score from: stored facts, each with where it lies."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import Field

from pipelines.config import Review
from pipelines.records import (
    Attempt,
    Cause,
    Cost,
    Evaluation,
    Promotion,
    Record,
    TrainOutcome,
    ValidationReport,
    WindowJudgment,
)


class JudgedBatch(Record):
    """A batch of rows that was checked; `page` is its validation report, where it is kept."""

    report: ValidationReport
    page: str | None = None


class Reproduced(Record):
    """A version that was made again, as the audit log has it under `seq`; `told` is what was found."""

    seq: int
    time: datetime
    version: int
    agrees: bool
    told: dict[str, Any] = {}


class VersionEvidence(Record):
    """What is stored of a registered version: what it was made from and by, and what was measured of it.

    `evaluation` is None where the attempt's folder has none, `losses` are those of training, by epoch, of a
    network. `reigns` are its times as champion, those that were undone included.
    """

    version: int
    kind: str
    attempt: Attempt
    started: datetime
    config: dict[str, Any]
    environment: dict[str, Any] = {}
    inputs: list[str] = []
    trials: int = 0
    losses: list[float] = []
    outcome: TrainOutcome | None = None
    evaluation: Evaluation | None = None
    cause: Cause | None = None
    cost: Cost | None = None
    reigns: list[Promotion] = []

    @property
    def run(self) -> str:
        """MLflow's run, as an answer names it."""
        return f"MLflow run {self.outcome.model.get('run_id')}" if self.outcome else self.attempt.id


class Evidence(Record):
    """All that the answers are made of.

    `places` says of keys of the definition where they stand: `columns` -> `pipeline.yaml, line 12`.
    `declared` are the columns that a model may read, `versions` all of the ledger's, oldest first, of which
    only the champion and the one before it have their evaluation. `taken_back` are the numbers of those
    promotions that were undone after their version had been put to the service.
    """

    pipeline: str
    gathered: datetime
    places: dict[str, str] = {}
    reviews: dict[str, Review] = {}
    declared: list[str] = []
    retrains: list[str] = Field(default_factory=list, description="reasons to train again, and the schedule")
    batches: list[JudgedBatch] = []
    versions: list[VersionEvidence] = []
    promotions: list[Promotion] = []
    taken_back: list[int] = []
    windows: list[WindowJudgment] = []
    reproductions: list[Reproduced] = []
    predictions: dict[int, int] = {}  # logged, by version

    @property
    def reign(self) -> Promotion | None:
        """The promotion by which the champion is champion."""
        return next((p for p in reversed(self.promotions) if p.state != "reverted"), None)

    @property
    def champion(self) -> VersionEvidence | None:
        return self.version(self.reign.version) if self.reign else None

    @property
    def before(self) -> VersionEvidence | None:
        """The version that is champion no more since this one is."""
        mine = self.reign.version if self.reign else None
        found = (p.version for p in reversed(self.promotions) if p.state != "reverted" and p.version != mine)
        return self.version(next(found, None))

    def version(self, number: int | None) -> VersionEvidence | None:
        return next((v for v in self.versions if v.version == number), None)
