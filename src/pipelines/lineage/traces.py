"""What a trace says of each thing around an id: small records, as `evergreen trace --json` prints them."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from pipelines.records import (
    Cause,
    GateVerdict,
    IntakeState,
    Promotion,
    Record,
    RowCounts,
    RuleResult,
    SourceRead,
    WindowJudgment,
)

Kind = Literal["prediction", "version", "attempt", "run", "cause", "snapshot", "batch", "source"]
Value = float | str | None


class TracedPrediction(Record):
    """One row of the prediction log: `time` is the row's own, `scored` the moment of the answer, both UTC."""

    id: str
    time: datetime
    scored: datetime
    channel: str
    version: int
    value: Value
    probabilities: dict[str, float]
    quantiles: dict[str, float]
    label: Value
    inputs: dict[str, Any]


class TracedVersion(Record):
    """A registered model, when and why it was champion, and how many predictions of the log are its."""

    id: str
    attempt: str
    run_id: str | None
    champion: list[Promotion]
    predictions: int


class TracedAttempt(Record):
    """A training run; `status` is `unfinished` until it has ended."""

    id: str
    status: str
    started: datetime
    seconds: dict[str, float]
    cause: Cause | None
    snapshot: str
    version: int | None
    run_id: str | None
    metrics: dict[str, float]
    gates: list[GateVerdict]


class TracedSnapshot(Record):
    """A version of the data; the fingerprint is known where an attempt was made of it."""

    id: str
    version: int
    uri: str
    rows: int | None
    fingerprint: str | None


class TracedBatch(Record):
    """A batch and what became of its rows; `checks` are those that failed.

    `in_snapshot` counts its rows in the snapshot of this trace; `rows_of` are the batches whose quarantined
    rows it brought back; a batch without `state` was taken in before the ledger kept batches.
    """

    id: str
    state: IntakeState | None = None
    created: datetime | None = None
    version: int | None = None
    counts: RowCounts | None = None
    in_snapshot: int | None = None
    rebuilt: bool = False
    rows_of: list[str] = Field(default_factory=list)
    sources: list[SourceRead] = Field(default_factory=list)
    checks: list[RuleResult] = Field(default_factory=list)
    refused: str | None = None
    page: str | None = None  # of the validation report


class Use(Record):
    """An attempt that learnt from the data, or was asked for by the cause, and the version that it became."""

    attempt: TracedAttempt
    version: TracedVersion | None


class Trace(Record):
    """What `trace` answers: the thing asked for, the chain it came from, and in `used_by` what came of it."""

    kind: Kind
    id: str
    pipeline: str
    prediction: TracedPrediction | None = None
    cause: Cause | None = None
    window: WindowJudgment | None = None  # that the cause was said of
    version: TracedVersion | None = None
    attempt: TracedAttempt | None = None
    snapshot: TracedSnapshot | None = None
    batches: list[TracedBatch] = Field(default_factory=list)  # oldest first
    used_by: list[Use] = Field(default_factory=list)
