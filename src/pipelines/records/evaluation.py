"""What is measured of a model on rows that it has not seen, and what the gates say of it."""

from __future__ import annotations

from typing import Literal

from pipelines.records.base import Record

Task = Literal["regression", "binary", "multiclass"]
Verdict = Literal["pass", "fail", "inconclusive"]


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
    """What an input column does: how far the metric falls when it is dealt out anew, the mean absolute
    Shapley value, and what it tells of the target all alone (1 all, 0 nothing)."""

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
