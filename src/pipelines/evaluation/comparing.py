"""Every metric of several models on the same rows, with intervals, and the differences between them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pipelines.config import MEASURED
from pipelines.evaluation.intervals import (
    describe,
    describe_normal,
    describe_same,
    describe_wins,
    error_if_equal,
    find_bounds,
    measure_spread,
    normal_bounds,
)
from pipelines.evaluation.metrics import (
    OF_LABELS,
    find_statistic,
    higher_is_better,
    metric_range,
    read_rows,
)
from pipelines.evaluation.resampling import Chances, Resamples, Statistic
from pipelines.records import Difference, Interval, Task

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

ENDS = (0.025, 0.975)  # of the 95 % intervals


@dataclass(frozen=True)
class Compared:
    """One metric of several models by name: on all rows, on each resample (draws,), and what a row adds (n,).

    Of a metric of which only the resamples are known the influences are empty, and intervals are normal.
    `ends` and `chances` are those of the statistics that have them.
    """

    metric: str
    rows: int
    values: dict[str, float]
    draws: dict[str, NDArray[np.float64]]
    influences: dict[str, NDArray[np.float64]]
    ends: dict[str, tuple[float, float]] = field(default_factory=dict)
    chances: dict[str, Chances] = field(default_factory=dict)

    def interval(self, model: str) -> Interval:
        """The metric with its 95 % interval, as far as the metric can go."""
        import numpy as np

        value = self.values[model]
        if self.influences:
            ends = find_bounds(self.draws[model], value, measure_spread(self.influences[model]), ENDS)
        else:
            error = float(np.nanstd(self.draws[model], ddof=1))
            ends = normal_bounds(value, error, self.rows, ENDS)
        known = self.ends.get(model, (value, value))
        widest = min(ends[0], known[0], value), max(ends[1], known[1], value)
        low, high = np.clip(widest, *metric_range(self.metric))
        return Interval(value=value, low=float(low), high=float(high), rows=self.rows)

    def difference(self, model: str, other: str, same: bool = False) -> Difference:
        """By how much `model` is better than `other`; `same` says that both answer alike on every row."""
        value = self.sign * (self.values[model] - self.values[other])
        draws = self.sign * (self.draws[model] - self.draws[other])
        if same:
            return describe_same(self.rows)
        if not self.influences:
            return describe_normal(value, draws, self.rows)
        influence = self.sign * (self.influences[model] - self.influences[other])
        # Equal labels on these rows may differ on others; equal errors or ranks to the last digit do not.
        if not (self.metric in OF_LABELS or value or influence.any()):
            return describe_same(self.rows)
        if self.metric == "accuracy":
            apart = influence + value  # 1, 0 or -1 a row
            return describe_wins(int((apart > 0.5).sum()), int((apart < -0.5).sum()), self.rows)
        return describe(value, draws, influence, self.metric in OF_LABELS, self.error_if_equal(model, other))

    def error_if_equal(self, model: str, other: str) -> float:
        """Of a loss of probabilities, 0 of another metric."""
        both = [self.chances[name] for name in (model, other) if name in self.chances]
        return error_if_equal(*both) if len(both) == 2 else 0.0

    @property
    def sign(self) -> int:
        return 1 if higher_is_better(self.metric) else -1


@dataclass
class Measured:
    """What was found of several models by name; `differences` are those of the first one to each other."""

    metrics: dict[str, dict[str, float]]
    intervals: dict[str, dict[str, Interval]]
    differences: dict[str, dict[str, Difference]] = field(default_factory=dict)


def compare(metric: str, statistics: Mapping[str, Statistic], resamples: Resamples) -> Compared:
    """Models by their statistics of one metric, on the same resamples."""
    return compare_several({metric: statistics}, resamples)[0]


def compare_several(
    statistics: Mapping[str, Mapping[str, Statistic]], resamples: Resamples
) -> list[Compared]:
    """As `compare`, of several metrics by name, whose resamples are made in one pass."""
    import numpy as np

    parts = [s.parts for models in statistics.values() for s in models.values()]
    means = resamples.means(np.column_stack(parts))
    each = iter(np.split(means, np.cumsum([columns.shape[1] for columns in parts])[:-1], axis=1))
    return [
        Compared(
            metric=metric,
            rows=resamples.rows,
            values={name: s.value for name, s in models.items()},
            draws={name: s.combine(next(each)) for name, s in models.items()},
            influences={name: s.influence() for name, s in models.items()},
            ends={name: s.ends for name, s in models.items() if s.ends},
            chances={name: s.chances for name, s in models.items() if s.chances},
        )
        for metric, models in statistics.items()
    ]


def compare_all(
    task: Task, target: pd.Series, answers: Mapping[str, pd.DataFrame], resamples: Resamples
) -> Iterator[Compared]:
    """A metric of the task after the other, of the models that have a finite value of it.

    Of many rows one at a time, since a metric's numbers of a million rows and three models are 100 MB.
    """
    read = {name: read_rows(task, target, frame) for name, frame in answers.items()}
    few = {}
    for metric in MEASURED[task]:
        found = {name: find_statistic(metric, rows) for name, rows in read.items()}
        known = {name: s for name, s in found.items() if s is not None and math.isfinite(s.value)}
        if known and resamples.exact:
            few[metric] = known
        elif known:
            yield compare(metric, known, resamples)
    yield from compare_several(few, resamples) if few else ()


def finite(answers: pd.DataFrame) -> bool:
    """Whether each number is one: a rank, say, would be made of NaN, too."""
    import numpy as np

    return bool(np.isfinite(answers.select_dtypes("number").to_numpy("float64")).all())


def measure_models(answers: Mapping[str, pd.DataFrame], found: Iterable[Compared]) -> Measured:
    """Metrics of all models, and the first one's differences to the others, from metric after metric."""
    first, *others = answers
    same = {other for other in others if answers[first].equals(answers[other])}
    measured = Measured({name: {} for name in answers}, {name: {} for name in answers})
    measured.differences = {other: {} for other in others}
    for compared in found:
        for name, value in compared.values.items():
            measured.metrics[name][compared.metric] = value
            measured.intervals[name][compared.metric] = compared.interval(name)
        for other in others:
            if first in compared.values and other in compared.values and compared.metric != "coverage":
                difference = compared.difference(first, other, same=other in same)
                measured.differences[other][compared.metric] = difference
    return measured
