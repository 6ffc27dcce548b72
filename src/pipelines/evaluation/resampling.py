"""Bootstrap resamples of the test rows: the same for every model, so that differences are paired.

A resample of n rows takes each row so and so many times; a metric that is a function of means of numbers a
row needs only those means of each resample. `Resamples.means` makes them, for 10,000 resamples of a million
rows in a second, because it does not draw a row at a time:

- A table of at most SINGLY rows is resampled exactly, as counts of each row in each resample.
- Of a larger one the SINGLY rows that lie farthest from the mean are drawn exactly, and the rest together:
  the sum of the N others is normal with mean N mu and covariance N Sigma, where mu and Sigma are those of the
  others, and N is what the exact draw left over. Mean and covariance of the result are the bootstrap's own;
  only the shape of a sum of many numbers none of which is large is the central limit theorem's. Outliers and
  rare cells of a confusion matrix, where that fails, are among the rows drawn exactly.

A ranking metric is such a mean, too, by its influence function (see `classification`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

DRAWS = 10_000
SINGLY = 4_096  # rows drawn one by one; more cost time and change nothing that a test could see
CHUNK = 128  # resamples made at once: their counts are what the memory is for


@dataclass(frozen=True)
class Chances:
    """How likely a model held each of its classes (rows, classes), and what it costs to have held one so."""

    classes: list[str]
    held: NDArray[np.float64]
    cost: Callable[[NDArray[np.float64]], NDArray[np.float64]]


@dataclass(frozen=True)
class Statistic:
    """A metric on some rows: `combine` of the means of `parts` (rows, k).

    `combine` takes means of shape (..., k) to values of shape (...); it is smooth where it is used.
    ends: a 95 % interval by what is known of the metric, where resamples of few rows are too sure.
    chances: of a loss of probabilities, for what the rows do not show of rare heavy errors.
    """

    parts: NDArray[np.float64]
    combine: Callable[[NDArray[np.float64]], NDArray[np.float64]]
    ends: tuple[float, float] | None = None
    chances: Chances | None = None

    @property
    def value(self) -> float:
        return float(self.combine(self.parts.mean(axis=0)))

    def influence(self) -> NDArray[np.float64]:
        """What a row adds: value + mean(influence * weight) is the metric of reweighted rows, to first order.

        The gradient of `combine` at the means, by central differences, times each row's deviation.
        """
        import numpy as np

        means, spread = self.parts.mean(axis=0), self.parts.std(axis=0)
        step = 1e-4 * np.where(spread > 0, spread, 1.0) / np.sqrt(len(self.parts))
        moved = np.diag(step)
        with np.errstate(all="ignore"):
            slope = (self.combine(means + moved) - self.combine(means - moved)) / (2 * step)
        deviations: NDArray[np.float64] = (self.parts - means) @ slope
        return deviations


class Resamples:
    """`draws` seeded resamples of `rows` rows; what is asked first or twice changes nothing."""

    def __init__(self, rows: int, draws: int = DRAWS, seed: int = 0) -> None:
        self.rows, self.draws, self.seed = rows, draws, seed
        self.singly = min(rows, SINGLY)

    @property
    def exact(self) -> bool:
        """Whether every row is drawn by itself."""
        return self.singly == self.rows

    def means(self, parts: NDArray[np.float64]) -> NDArray[np.float64]:
        """The mean of each column of `parts` (rows, k) in each resample: (draws, k)."""
        centre: NDArray[np.float64] = parts.mean(axis=0)
        deviations = parts - centre
        if self.exact:
            return centre + self._count(deviations) / self.rows
        far = farthest(deviations, self.singly)
        drawn = self._count(deviations[far])
        deviations[far] = 0.0
        return centre + (drawn + self._others(deviations)) / self.rows

    def _count(self, parts: NDArray[np.float64]) -> NDArray[np.float64]:
        """Sums over the rows that are drawn one by one: (draws, k)."""
        import numpy as np

        # Single precision: the parts are deviations from the mean, and seven digits of those are enough. Of
        # values of any unit: each column is measured by its own largest.
        largest = np.abs(parts).max(axis=0)
        size = np.where(largest > 0, largest, 1.0)
        single = (parts / size).astype(np.float32)
        chunks = [
            self.counts[start : start + CHUNK].astype(np.float32) @ single
            for start in range(0, self.draws, CHUNK)
        ]
        return np.concatenate(chunks).astype(np.float64) * size

    def _others(self, deviations: NDArray[np.float64]) -> NDArray[np.float64]:
        """Sums over the rows drawn together; `deviations` has zeros in place of the rest."""
        import numpy as np

        others = self.rows - self.singly
        mean = deviations.sum(axis=0) / others
        covariance = deviations.T @ deviations / others - np.outer(mean, mean)
        sizes, vectors = np.linalg.eigh(covariance)  # Cholesky fails where columns depend on each other
        root = vectors * np.sqrt(np.clip(sizes, 0.0, None))
        normal = np.random.default_rng([self.seed, 1]).standard_normal((self.draws, len(mean)))
        count = self.left[:, None]
        sums: NDArray[np.float64] = count * mean + np.sqrt(count) * (normal @ root.T)
        return sums

    @cached_property
    def left(self) -> NDArray[np.int64]:
        """How many rows of each resample are not among those drawn one by one."""
        import numpy as np

        random = np.random.default_rng([self.seed, 0])
        drawn = random.binomial(self.rows, self.singly / self.rows, self.draws)
        return np.asarray(self.rows - drawn, dtype=np.int64)

    @cached_property
    def counts(self) -> NDArray[np.uint8]:
        """How often each of the rows drawn one by one is in each resample: (draws, singly).

        A row is in a resample 1 time on average, and 255 times never.
        """
        import numpy as np

        random, drawn = np.random.default_rng([self.seed, 2]), self.rows - self.left
        counts = np.empty((self.draws, self.singly), dtype=np.uint8)
        for start in range(0, self.draws, CHUNK):
            sizes = drawn[start : start + CHUNK]
            which = random.integers(0, self.singly, int(sizes.sum()))
            which += np.repeat(np.arange(len(sizes)) * self.singly, sizes)
            found = np.bincount(which, minlength=len(sizes) * self.singly)
            counts[start : start + CHUNK] = found.reshape(len(sizes), self.singly)
        return counts


def farthest(deviations: NDArray[np.float64], count: int) -> NDArray[np.int64]:
    """The rows with the largest deviation in any column, by that column's own spread."""
    import numpy as np

    distance = np.zeros(len(deviations))
    for column in deviations.T:
        if spread := float(np.sqrt(np.mean(column**2))):
            np.maximum(distance, np.abs(column) / spread, out=distance)
    return np.asarray(np.argpartition(distance, -count)[-count:])
