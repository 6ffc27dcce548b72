"""Windows of live rows, what was decided on them, and the causes that they give."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pipelines.records.base import Record
from pipelines.records.evaluation import Interval

WindowVerdict = Literal["healthy", "drift", "degraded", "insufficient"]
Decision = Literal["none", "suggest", "retrain"]
CauseKind = Literal["schedule", "drift", "degraded", "data", "person"]


class ColumnDrift(Record):
    """How far one column moved: `score` by `method`, against `threshold`, in the method's own unit."""

    column: str
    method: str
    score: float
    threshold: float

    @property
    def drifted(self) -> bool:
        return self.score > self.threshold


class Drift(Record):
    """Scores of a window against the model's reference; `report` is the path of Evidently's HTML page."""

    columns: list[ColumnDrift]
    rows: int
    report: str | None = None


class Quality(Record):
    """The realised metric on the labelled rows of a window, and what the model had at its promotion."""

    metric: str
    labelled: int
    realised: Interval
    expected: float


class WindowMeasure(Record):
    """What was measured in one window, for the model version that scored most of it."""

    pipeline: str
    start: datetime
    end: datetime
    version: int
    rows: int
    labelled: int
    drift: Drift | None = None
    quality: Quality | None = None


class WindowJudgment(Record):
    """The decision on a window, with the reason in words and numbers.

    `cause` is set when training is to start.
    """

    measure: WindowMeasure
    verdict: WindowVerdict
    decision: Decision
    reason: str
    cause: str | None = None


class Cause(Record):
    """Why a training run happened; `version` is the model it was said of, so a stale cause can be told."""

    id: str
    pipeline: str
    kind: CauseKind
    reason: str
    version: int | None
    created: datetime
