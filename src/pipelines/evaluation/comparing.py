"""Every metric of several models on the same rows, with intervals, and the differences between them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipelines.evaluation.intervals import (
    Difference,
    Interval,
    describe,
    describe_normal,
    describe_same,
    describe_wins,
    find_bounds,
    measure_spread,
    normal_bounds,
)
from pipelines.evaluation.measuring import OF_LABELS, higher_is_better, metric_range
from pipelines.evaluation.resampling import Resamples, Statistic

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

ENDS = (0.025, 0.975)  # of the 95 % intervals


@dataclass(frozen=True)
class Compared:
    """One metric of several models by name: on all rows, on each resample (draws,), and what a row adds."""

    metric: str
    rows: int
    values: dict[str, float]
    draws: dict[str, NDArray[np.float64]]
    influences: dict[str, NDArray[np.float64]]

    def interval(self, model: str) -> Interval:
        """The metric with its 95 % interval, as far as the metric can go."""
        import numpy as np

        value = self.values[model]
        if self.influences:
            ends = find_bounds(self.draws[model], value, measure_spread(self.influences[model]), ENDS)
        else:
            ends = normal_bounds(value, self.draws[model], self.rows, ENDS)
        low, high = np.clip(ends, *metric_range(self.metric))
        return Interval(value=value, low=min(float(low), value), high=max(float(high), value))

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
        return describe(value, draws, influence)

    @property
    def sign(self) -> int:
        return 1 if higher_is_better(self.metric) else -1


def compare(metric: str, statistics: dict[str, Statistic], resamples: Resamples) -> Compared:
    """Models by their statistics of one metric, on the same resamples."""
    import numpy as np

    stacked = resamples.means(np.column_stack([s.parts for s in statistics.values()]))
    ends = np.cumsum([s.parts.shape[1] for s in statistics.values()])
    draws = dict(zip(statistics, np.split(stacked, ends[:-1], axis=1), strict=True))
    return Compared(
        metric=metric,
        rows=resamples.rows,
        values={name: s.value for name, s in statistics.items()},
        draws={name: s.combine(draws[name]) for name, s in statistics.items()},
        influences={name: s.influence() for name, s in statistics.items()},
    )
