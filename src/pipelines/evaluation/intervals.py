"""Intervals and one-sided bounds of a metric, and of a difference of two, from resamples of the rows."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipelines.records import LEVELS, Difference

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from pipelines.evaluation.resampling import Chances

TOGETHER = 131_072  # probabilities that are looked at at once
FEW = 5  # rows that agree show nothing at the usual level if they are fewer: 1 / 2^4 > 0.05


@dataclass(frozen=True)
class Spread:
    """The sums of the second, third and fourth powers of what the rows add to a metric, of 1 at most each."""

    rows: int
    second: float
    third: float
    fourth: float

    @property
    def rests_on(self) -> float:
        """On how many rows it rests: m where m rows count, and each as much; a third of normal ones."""
        return self.second * self.second / self.fourth if self.fourth else 0.0

    @property
    def skew(self) -> float:
        """BCa's acceleration: a sixth of the skewness of the mean."""
        return self.third / (6 * self.second * math.sqrt(self.second))

    @property
    def freedom(self) -> float:
        """Degrees of freedom of the variance (Satterthwaite): 2 n / (kurtosis - 1), n - 1 at most."""
        kurtosis = self.rows / max(self.rests_on, 1.0)
        return max(1.0, min(self.rows - 1.0, 2 * self.rows / max(kurtosis - 1, 1e-9)))


def measure_spread(influence: NDArray[np.float64]) -> Spread:
    import numpy as np

    influence = influence / (np.abs(influence).max() or 1.0)  # of any unit: powers of 1e100 are no numbers
    squares = influence * influence
    sums = (squares.sum(), squares @ influence, squares @ squares)
    return Spread(len(influence), *map(float, sums))


def describe(
    value: float,
    draws: NDArray[np.float64],
    influence: NDArray[np.float64],
    of_labels: bool = False,
    least_error: float = 0.0,
) -> Difference:
    """A difference with what its resamples (draws,) and the rows' influence on it (n,) say of it.

    Where it is of labels it rests on the rows whose labels differ. Else it rests on all of them; where fewer
    than FEW outweigh the others, every bound is the surest one, of resamples that lack them. No bound is
    surer than that of a normal estimate with the `least_error`.
    """
    spread = measure_spread(influence)
    bounds = find_bounds(draws, value, spread, LEVELS)
    if not of_labels and spread.second and spread.rests_on < FEW:
        bounds = bounds[[0 if level < 0.5 else -1 if level > 0.5 else LEVELS.index(0.5) for level in LEVELS]]
    rests = (
        spread.rests_on if of_labels and spread.second else spread.rows * float(value != 0 or not of_labels)
    )
    if least_error:
        bounds = widen(bounds, normal_bounds(value, least_error, spread.rows, LEVELS))
    return make(value, spread.rows, max(float(draws.std(ddof=1)), least_error), rests, bounds)


def widen(bounds: NDArray[np.float64], others: NDArray[np.float64]) -> NDArray[np.float64]:
    """Of two bounds at each of LEVELS the one that is farther out."""
    import numpy as np

    return np.where(np.array(LEVELS) < 0.5, np.minimum(bounds, others), np.maximum(bounds, others))


def describe_normal(value: float, draws: NDArray[np.float64], rows: int) -> Difference:
    """A difference of which a few resamples are known, and nothing of single rows."""
    import numpy as np

    error = float(np.nanstd(draws, ddof=1))
    bounds = normal_bounds(value, error, rows, LEVELS)
    return make(value, rows, error, rows * float(draws.any()), bounds)


def describe_wins(wins: int, losses: int, rows: int) -> Difference:
    """The difference of two accuracies, from the rows that only the one, or only the other, got right.

    Its error is what the 90 % interval is of a normal one, since that of no wins and no losses is not 0.
    """
    bounds = tango(wins, losses, rows, LEVELS)
    width = float(bounds[LEVELS.index(0.95)] - bounds[LEVELS.index(0.05)])
    found = make((wins - losses) / rows, rows, width / (2 * 1.6449), wins + losses, bounds)
    return found.model_copy(update={"wins": wins, "losses": losses})


def describe_same(rows: int) -> Difference:
    """Of two models that give the same answers to every row: no difference, and no doubt about it."""
    return make(0.0, rows, 0.0, rows, [0.0] * len(LEVELS))


def make(value: float, rows: int, error: float, rests: float, bounds: Iterable[float]) -> Difference:
    ends = [float(bound) for bound in bounds]
    low, high = ends[LEVELS.index(0.025)], ends[LEVELS.index(0.975)]
    return Difference(value=value, low=low, high=high, rows=rows, error=error, rests_on=rests, bounds=ends)


def find_bounds(
    draws: NDArray[np.float64], value: float, spread: Spread, levels: tuple[float, ...]
) -> NDArray[np.float64]:
    """The values below which the truth lies with each of `levels` as its probability.

    Quantiles of the resamples (draws,) at levels that are corrected twice: for bias and skewness (BCa, Efron
    1987), and for the number of rows that the spread is known from (expanded by Student's t, Hesterberg
    2015).
    Normal differences of n rows so get the t interval, nearly.
    """
    import numpy as np
    from scipy.special import ndtr, ndtri, stdtrit

    if not spread.second:
        return np.full(len(levels), value)
    z = stdtrit(spread.freedom, levels) * math.sqrt((spread.freedom + 1) / spread.freedom)
    below = ((draws < value).mean() + (draws <= value).mean()) / 2
    bias = float(ndtri(np.clip(below, 1 / len(draws), 1 - 1 / len(draws))))
    shifted = bias + z
    corrected = bias + shifted / np.maximum(1 - spread.skew * shifted, 0.1)
    known = np.isfinite(corrected)
    found = np.quantile(draws, ndtr(np.where(known, corrected, 0.0)))
    return np.where(known, found, np.nan)


def normal_bounds(value: float, error: float, rows: int, levels: tuple[float, ...]) -> NDArray[np.float64]:
    """Student's, of an estimate with this standard error."""
    import numpy as np
    from scipy.special import stdtrit

    return np.asarray(value + error * stdtrit(rows - 1, levels))


def error_if_equal(one: Chances, other: Chances) -> float:
    """The standard error of the difference of two mean losses, were both models as good.

    That is, were each row's class drawn by a mixture of what both held of it, the one by which neither is
    better. A class that has not come yet counts with what it would have cost, so rare heavy errors have their
    weight before they are seen. The variance is that under the hypothesis, as in every score test (for
    forecasts of probabilities Spiegelhalter 1986). 0 where the models know other classes.
    """
    import numpy as np

    if one.classes != other.classes:
        return 0.0
    rows, moments = len(one.held), np.zeros((2, 2))  # of the difference and its square, by what each held
    step = max(TOGETHER // len(one.classes), 1)
    for start in range(0, rows, step):
        held = np.stack([each.held[start : start + step] for each in (one, other)])
        apart = other.cost(held[1]) - one.cost(held[0])
        moments += [[(share * apart).sum(), (share * apart**2).sum()] for share in held]
    (better, squares), (worse, other_squares) = moments.tolist()
    if better <= worse:  # they held the same
        return 0.0
    share = min(max(-worse / (better - worse), 0.0), 1.0)
    return math.sqrt(share * squares + (1 - share) * other_squares) / rows


def tango(wins: int, losses: int, rows: int, levels: tuple[float, ...]) -> NDArray[np.float64]:
    """Bounds of (wins - losses) / rows, a difference of two paired proportions, by Tango's score (1998).

    At a difference of 0 the score is McNemar's. It holds its level where few rows or none tell the two apart;
    a bootstrap cannot see what did not happen. By bisection: the score falls as the difference rises.
    """
    import numpy as np
    from scipy.special import ndtri

    z = -ndtri(np.array(levels))
    low, high = np.full(len(z), -1.0), np.full(len(z), 1.0)
    for _ in range(50):
        middle = (low + high) / 2
        above = tango_score(wins, losses, rows, middle) > z
        low, high = np.where(above, middle, low), np.where(above, high, middle)
    return np.asarray((low + high) / 2)


def tango_score(wins: int, losses: int, rows: int, difference: NDArray[np.float64]) -> NDArray[np.float64]:
    """How many standard errors (wins - losses) / rows lies above `difference`, were that the truth."""
    import numpy as np

    spread = difference * (1 - difference)
    b = -wins - losses + (2 * rows - wins + losses) * difference
    q = (np.sqrt(np.maximum(b**2 + 8 * rows * losses * spread, 0)) - b) / (4 * rows)
    variance = rows * (2 * q + spread)
    apart = wins - losses - rows * difference
    certain = np.where(apart == 0, 0.0, np.copysign(np.inf, apart))
    return np.where(variance > 0, apart / np.sqrt(np.where(variance > 0, variance, 1.0)), certain)
