"""What crosses the border between two steps: small, frozen records that name data, never the data itself.

Times are timezone-aware UTC in records of our own doings, and naive in event time: a window's bounds follow
the pipeline's timestamp column, which is taken as written.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

Task = Literal["regression", "binary", "multiclass"]
OnFailure = Literal["quarantine", "fail", "warn"]
Verdict = Literal["pass", "fail", "inconclusive"]
WindowVerdict = Literal["healthy", "drift", "degraded", "insufficient"]
Decision = Literal["none", "suggest", "retrain"]
TrainStatus = Literal[
    "promoted", "rejected", "inconclusive", "awaiting_approval", "reverted", "reused", "refused", "failed"
]
PromotionState = Literal["begun", "confirmed", "reverted"]
ApprovalState = Literal["waiting", "approved", "rejected", "expired"]
MarkKind = Literal["number", "day", "time", "zoned", "text", "text time"]
IntakeState = Literal["staged", "accepted", "refused"]
TrialStatus = Literal["running", "finished", "stopped early", "failed"]
CauseKind = Literal["schedule", "drift", "degraded", "data", "person"]


class Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


# ------------------------------------------------------------------------------------------------ data


class Mark(Record):
    """How far a database has been read: a value as the driver gave it, written as text, and its kind.

    `origin` is a hash of the column and the table or query: of others it says nothing.
    """

    kind: MarkKind
    value: str
    origin: str


class SourceRead(Record):
    """What was read of one source; `stamp` changes when its content may have, `found` says how it is written.

    `found` has, as far as they apply: format, compression, encoding, delimiter, quote, decimal, header.
    """

    uri: str  # without passwords
    stamp: str
    rows: int
    bytes: int | None = None
    found: dict[str, str] = {}
    watermark: Mark | None = None  # of a database with a column that grows


class Batch(Record):
    """New rows, staged as Parquet files `part-*.parquet` in `folder`; `known` rows were held before.

    A part has the definition's columns, `_row` (int64, hash of the content) and `_seq` (int64, the order of
    intake, unique in the pipeline). `problems.parquet` beside them names what was seen while reading: `_seq`,
    `rule`, `column`, `found`, `expected`. Read = rows + known.
    """

    pipeline: str
    id: str
    folder: str
    rows: int
    known: int
    sources: list[SourceRead]
    unchanged: int = 0  # sources that were taken in before and not read again
    problems: int = 0  # lines of problems.parquet
    form: str = ""  # what the definition said of reading, as JSON: rows of another form are read anew
    rebuilt: bool = False  # it has all rows, in the form of a changed definition
    replays: bool = False  # it brings rows back from quarantine; they keep their `_seq`
    warnings: list[str] = []


class RuleResult(Record):
    """What one check found: `unexpected` rows with `examples` (row rules), or a message (batch rules)."""

    rule: str
    column: str | None
    on_failure: OnFailure
    passed: bool
    unexpected: int = 0
    message: str
    examples: list[str] = []


class ValidationReport(Record):
    """The verdict on a batch: rows = accepted + quarantined, or all refused with the reason."""

    pipeline: str
    batch: str
    rows: int
    quarantined: int
    results: list[RuleResult]
    refused: str | None = None
    warnings: list[str] = []
    failures_path: str | None = None  # Parquet: _seq (int64, row of the batch), reason (string)

    @property
    def accepted(self) -> int:
        return 0 if self.refused else self.rows - self.quarantined


class RowCounts(Record):
    """Where the rows of a batch went: read = known + accepted + quarantined + refused, once it is judged."""

    read: int
    known: int
    accepted: int = 0
    quarantined: int = 0
    refused: int = 0

    def __str__(self) -> str:
        return (
            f"read {self.read:,} = {self.known:,} known + {self.accepted:,} accepted"
            f" + {self.quarantined:,} quarantined + {self.refused:,} refused"
        )


def count_rows(batch: Batch, report: ValidationReport) -> RowCounts:
    """The row arithmetic of a judged batch; every place that shows it takes it from here."""
    counts = {"read": batch.rows + batch.known, "known": batch.known}
    if report.refused is not None:
        return RowCounts(**counts, refused=batch.rows)
    return RowCounts(**counts, accepted=batch.rows - report.quarantined, quarantined=report.quarantined)


class Intake(Record):
    """A batch in the ledger: what was read, what the checks said, and the snapshot that it made."""

    batch: Batch
    state: IntakeState
    created: datetime
    report: ValidationReport | None = None
    version: int | None = None  # of the snapshot that has its rows

    @property
    def counts(self) -> RowCounts | None:
        """None while the batch waits for its checks."""
        return None if self.report is None else count_rows(self.batch, self.report)


class Snapshot(Record):
    """A pipeline's data at one moment: Delta table `uri` at `version`, content `fingerprint` (hex)."""

    pipeline: str
    uri: str
    version: int
    rows: int
    fingerprint: str

    @property
    def id(self) -> str:
        return f"{self.pipeline}@{self.version}"


# ------------------------------------------------------------------------------------------------ models


class Attempt(Record):
    """One try at a trained model.

    `id` comes from content, so the same attempt started twice is one attempt.
    """

    id: str
    pipeline: str
    snapshot: Snapshot
    folder: str
    cause: str | None = None


class TrainedModel(Record):
    """A bundle of files in `folder`, with the sha256 of each.

    Nothing in it is loaded before the hash agrees.
    """

    attempt: str
    kind: str
    folder: str
    files: dict[str, str]
    seconds: float
    details: dict[str, float] = {}
    parts: dict[str, float] = {}  # seconds, see `driver.split_time`


class Trial(Record):
    """One trial of a tuning: settings of `model` and `training` by name, and how it went.

    `losses` are the validation losses, epoch by epoch; `best` is the least of them. `stopped early` is by
    ASHA or at the end of the time; `failed` has its reason. `at` are seconds since the tuning began, less the
    time in which no process of it lived.
    """

    number: int  # from 0, the definition's own settings
    settings: dict[str, float | int | str | None]
    status: TrialStatus = "running"
    losses: list[float] = []
    best: float | None = None
    seconds: float = 0.0
    at: float = 0.0
    reason: str | None = None


class Cost(Record):
    """What something has used: times in seconds, memory in bytes, money in `currency`.

    `processes` says of how many processes it is the sum, `wasted_seconds` how many of the CPU seconds were
    those of processes that died and had to be replaced. `money` is None where currencies were mixed.
    """

    cpu_seconds: float = 0.0
    gpu_seconds: float = 0.0
    peak_bytes: int = 0
    wall_seconds: float = 0.0
    money: float | None = 0.0
    currency: str = ""
    processes: int = 0
    wasted_seconds: float = 0.0

    def __add__(self, other: Cost) -> Cost:
        """Both, one after the other; a cost of nothing has no currency."""
        known = {cost.currency for cost in (self, other) if cost.currency}
        mixed = len(known) > 1 or self.money is None or other.money is None
        return Cost(
            cpu_seconds=round(self.cpu_seconds + other.cpu_seconds, 3),
            gpu_seconds=round(self.gpu_seconds + other.gpu_seconds, 3),
            peak_bytes=max(self.peak_bytes, other.peak_bytes),
            wall_seconds=round(self.wall_seconds + other.wall_seconds, 3),
            money=None if mixed else round((self.money or 0.0) + (other.money or 0.0), 6),
            currency=next(iter(known)) if len(known) == 1 else "",
            processes=self.processes + other.processes,
            wasted_seconds=round(self.wasted_seconds + other.wasted_seconds, 3),
        )


class ServedModel(Record):
    """What the prediction service is to answer with for a pipeline."""

    pipeline: str
    version: int
    folder: str
    files: dict[str, str]


class Champion(ServedModel):
    """The model to beat, and what it was made from, where that is known: snapshot and definition, as JSON."""

    snapshot: Snapshot | None = None
    definition: dict[str, Any] | None = None


class Interval(Record):
    """A value with its 95 % bootstrap interval."""

    value: float
    low: float
    high: float


class Comparison(Record):
    """Challenger against champion on the same rows.

    `difference` > 0 means the challenger is better, in the metric's unit. `left_out` test rows are none of
    them, since the champion learnt from those; then `metrics` are the challenger's on the others. Where these
    are too few there is no difference.
    """

    champion_version: int
    champion_metrics: dict[str, float]
    difference: Interval | None
    left_out: int = 0
    metrics: dict[str, float] = {}


class NoComparison(Record):
    """Why a challenger was judged without its champion: that one does not load, or cannot read the rows."""

    champion_version: int
    reason: str


class Rate(Record):
    """A share or a mean of so many rows, with its standard error."""

    value: float
    error: float
    rows: int


class GroupRates(Record):
    """How a group is treated; a rate is None where no row of the group says anything about it."""

    group: str
    rows: int
    selection: Rate | None
    true_positive: Rate | None
    false_positive: Rate | None
    calibration: Rate | None  # mean probability less frequency


class GroupFairness(Record):
    """The groups of one column, and the widest differences between two that are large enough."""

    column: str
    groups: list[GroupRates]
    selection_ratio: Rate | None
    odds_difference: Rate | None
    calibration_difference: Rate | None


class Probe(Record):
    """Answers to changed rows: how far they moved, or why there were none."""

    name: str
    column: str | None
    rows: int
    change: float | None = None
    failure: str | None = None


class Importance(Record):
    """What an input column does: how far the metric falls when it is dealt out anew, the mean absolute Shapley
    value, and what it tells of the target all alone (1 all, 0 nothing)."""

    column: str
    permutation: float
    deviation: float
    shapley: float | None = None
    alone: float | None = None


class Footprint(Record):
    """A loaded model in a process of its own: seconds, milliseconds for one row, bytes, rows per second."""

    load_seconds: float
    latency_p50: float
    latency_p99: float
    rows_per_second: float
    memory_bytes: int
    size_bytes: int


class Evaluation(Record):
    """What was measured on held-back rows; gates decide from this and from nothing else."""

    attempt: str
    task: Task
    metric: str
    rows: int
    metrics: dict[str, float]
    interval: Interval
    baseline: str
    baseline_metrics: dict[str, float]
    baseline_difference: Interval
    comparison: Comparison | None = None
    no_comparison: NoComparison | None = None
    smoke_failure: str | None = None

    @property
    def champion_version(self) -> int | None:
        """Of the champion that was to be beaten, None for the first model."""
        judged = self.comparison or self.no_comparison
        return judged.champion_version if judged else None


class GateVerdict(Record):
    name: str
    verdict: Verdict
    reason: str


class ModelVersion(Record):
    """A version in MLflow's registry."""

    name: str
    version: int
    run_id: str
    attempt: str


class Promotion(Record):
    """A row of the ledger: from `since` on, `version` is champion; `previous` is whom it replaced.

    `begun` until the service was seen to answer with it, then `confirmed`; `reverted`, it never was champion,
    and `undone` says why. `approved_by` is the person who decided, where one did.
    """

    pipeline: str
    seq: int
    version: int
    previous: int | None
    attempt: str
    cause: str | None
    why: str
    since: datetime
    until: datetime | None = None
    state: PromotionState = "begun"
    settled: datetime | None = None
    approved_by: str | None = None
    undone: str | None = None


class Approval(Record):
    """A promotion that the gates allow and that waits for a person: nothing runs meanwhile.

    `expires` is the moment from which it can no longer be approved; `by` and `reason` are those of the
    decision. `promotion` and `outcome` are what is carried out then.
    """

    attempt: str
    pipeline: str
    requested: datetime
    expires: datetime
    state: ApprovalState = "waiting"
    by: str | None = None
    reason: str | None = None
    decided: datetime | None = None
    promotion: Promotion
    outcome: TrainOutcome


# ------------------------------------------------------------------------------------------------ monitoring


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


class TrainOutcome(Record):
    """What `train` answers, from the command line, the UI and events alike."""

    status: TrainStatus
    pipeline: str
    attempt: str | None = None
    dataset: dict[str, str | int] = {}
    model: dict[str, str | int] = {}
    metrics: dict[str, float] = {}
    champion_metrics: dict[str, float] | None = None
    gates: list[GateVerdict] = []
    cause: str | None = None
    warnings: list[str] = []
    seconds: dict[str, float] = {}
    reason: str | None = None  # of a failure, or of a promotion that was undone
    cost: Cost | None = None
