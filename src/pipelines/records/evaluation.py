"""What is measured of a model on rows that it has not seen, and what the gates say of it."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pipelines.records.base import Record

Task = Literal["regression", "binary", "multiclass"]
Verdict = Literal["pass", "fail", "inconclusive"]


# Chances, one-sided, for which bounds of a difference are kept; the ends are for corrections for many tests.
BELOW = (0.0001, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25)
LEVELS = (*BELOW, 0.5, 0.75, 0.9, 0.95, 0.975, 0.99, 0.995, 0.9975, 0.999, 0.9995, 0.9999)


class Interval(Record):
    """A value with its 95 % interval; `rows` is how many it was measured on, where that is known."""

    value: float
    low: float
    high: float
    rows: int | None = None


class Difference(Interval):
    """By how much one model is better than another on the same rows, in the metric's unit; above 0 is better.

    error: standard error. bounds: one-sided, at LEVELS: the truth lies below bounds[i] with chance LEVELS[i].
    rests_on: of a metric of labels, how many rows make the difference, counted by their weight: a few of them
    show nothing, however large it is; of others all rows.
    wins, losses: of accuracy, rows that only the one, or only the other, got right.
    """

    rows: int
    error: float
    rests_on: float
    bounds: list[float]
    wins: int | None = None
    losses: int | None = None


class Baseline(Record):
    """What needs no learning, or is a linear model, on the same rows.

    `differences` by metric, above 0: the challenger is better.
    """

    name: str
    linear: bool = False
    metrics: dict[str, float]
    differences: dict[str, Difference]


class Comparison(Record):
    """Challenger and champion on the same `rows`; `differences` by metric, above 0: the challenger is better.

    `left_out` test rows are none of them, since the champion learnt from those. Where too few are left, and
    for a metric that has no value for both, there is no difference.
    """

    champion_version: int
    rows: int
    left_out: int = 0
    metrics: dict[str, float] = {}  # the challenger's
    champion_metrics: dict[str, float] = {}
    differences: dict[str, Difference] = {}

    @property
    def beside(self) -> dict[str, float]:
        """The challenger's metrics to stand beside the champion's, where those of all test rows cannot."""
        return self.metrics if self.left_out else {}


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
    """The groups of one column, and the widest differences between two that are large enough.

    `left_out` groups, smaller than these, were not measured.
    """

    column: str
    groups: list[GroupRates]
    left_out: int = 0
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
    Shapley value, and what it tells of the target alone (1 all, 0 nothing); None where it has no value.

    `clock` says that it is the time of a row, which is always known and not measured alone.
    """

    column: str
    clock: bool = False
    permutation: float | None
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


class SliceMetric(Record):
    """The pipeline's metric on a part of the test rows, and against the champion on those it did not learn.

    `found` says that the part was looked for where this model is worst, `among` so many of the test rows, and
    not named beforehand. There is no interval where it has no rows, or the metric no value on them.
    """

    name: str
    found: bool
    rows: int
    among: int | None = None  # None: all test rows
    interval: Interval | None = None
    champion: float | None = None
    difference: Difference | None = None

    @property
    def size(self) -> str:
        """Its rows, in words."""
        return f"{self.rows:,}" + (f" of {self.among:,}" if self.among else "")


class Curve(Record):
    """A line through points; `rows` behind each where it is known."""

    x: list[float]
    y: list[float]
    rows: list[int] = []


class Confusion(Record):
    """counts[i][j]: rows of class i that are called class j; of many classes the most frequent.

    rows: of each class, whatever they are called. total: how many classes there are.
    """

    classes: list[str]
    counts: list[list[int]]
    rows: list[int]
    total: int


class Plots(Record):
    """What is drawn of the test rows, in at most 100 points a curve and 500 residuals.

    roc: false against true positive rate, pr: recall against precision, by class: of two, the positive one.
    calibration: mean probability against the share that came true, in bins of as many rows but for ties.
    residuals: prediction against what the truth is more; residual_bins: edges, and rows between each two.
    """

    roc: dict[str, Curve] = {}
    pr: dict[str, Curve] = {}
    calibration: Curve | None = None
    confusion: Confusion | None = None
    residuals: Curve | None = None
    residual_bins: Curve | None = None


class Evaluation(Record):
    """What was measured on held-back rows; gates decide from this and the moment, and from nothing else.

    A metric that has no finite value is in none of the dictionaries.
    """

    attempt: str
    task: Task
    metric: str
    rows: int
    metrics: dict[str, float]
    intervals: dict[str, Interval]
    baselines: list[Baseline]
    comparison: Comparison | None = None
    no_comparison: NoComparison | None = None
    smoke_failure: str | None = None
    footprint: Footprint | None = None
    kind: str = ""  # of the model
    slices: list[SliceMetric] = []
    fairness: list[GroupFairness] = []
    probes: list[Probe] = []
    importances: list[Importance] = []  # the most important first
    signature_changes: dict[str, str] | None = None  # by column, against the champion; None: there is none
    newest: datetime | None = None  # time of the newest row of the snapshot
    plots: Plots = Plots()

    @property
    def champion_version(self) -> int | None:
        """Of the champion that was to be beaten, None for the first model."""
        judged = self.comparison or self.no_comparison
        return judged.champion_version if judged else None


class GateVerdict(Record):
    name: str
    verdict: Verdict
    reason: str
