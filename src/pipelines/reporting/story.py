"""What the page tells, gathered by the caller from ledger and registry."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import Field

from pipelines.records import (
    Cause,
    Cost,
    GateVerdict,
    IntakeState,
    Promotion,
    Record,
    RowCounts,
    TrainStatus,
    Trial,
    WindowJudgment,
)


class AttemptLine(Record):
    """A training run; `cause` is its reason in words, `cause_id` the stored cause where there is one.

    `unfinished` is one that still runs, or that was killed and nobody has gone on with.
    """

    id: str
    started: datetime
    status: TrainStatus | Literal["unfinished"]
    cause: str
    snapshot: str
    version: int | None = None
    metrics: dict[str, float] = Field(default_factory=dict)
    gates: list[GateVerdict] = Field(default_factory=list)
    seconds: float = 0
    cause_id: str | None = None
    failure: str | None = None
    link: str | None = None  # from the page to that of the attempt's model, where there is one
    card: str | None = None  # to the card of its version
    cost: Cost | None = None
    trials: list[Trial] = Field(default_factory=list)  # of its tuning


class BatchLine(Record):
    """A batch of rows; `link` leads from the page to its validation report, where there is one."""

    id: str
    created: datetime
    state: IntakeState
    sources: list[str]
    counts: RowCounts | None = None
    snapshot: str | None = None
    refused: str | None = None
    link: str | None = None


class Story(Record):
    """All that `render_report` shows; lists may come in any order."""

    pipeline: str
    metric: str
    higher_is_better: bool
    windows: list[WindowJudgment] = Field(default_factory=list)
    attempts: list[AttemptLine] = Field(default_factory=list)
    batches: list[BatchLine] = Field(default_factory=list)
    champions: list[Promotion] = Field(default_factory=list)
    causes: list[Cause] = Field(default_factory=list)
    costs: dict[int, Cost] = Field(default_factory=dict)  # of promotions, by their `seq`
    audit: str | None = None  # from the page to that of the ML Test Score, where there is one
    generated: datetime
