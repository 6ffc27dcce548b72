"""What a test set can show, from its standard error alone: said before the difference is looked at.

A one-sided test at `level` passes where the estimate less z(1 - level) errors lies above the bound, so an
effect of e errors above it passes with chance Phi(e - z(1 - level)). An error falls with the rows' root.
"""

from __future__ import annotations

import math
from statistics import NormalDist

from pipelines.records import LEVELS, Difference, Interval

ENOUGH = 0.8  # the chance of a pass from which on a test set is called large enough
NORMAL = NormalDist()


def bound(difference: Difference, level: float) -> float:
    """The value below which the true difference lies with chance `level`, 0 < level < 1.

    Between the stored levels by a line over normal quantiles, and beyond them by the same line.
    """
    z = [NORMAL.inv_cdf(known) for known in LEVELS]
    here = NORMAL.inv_cdf(level)
    right = next((i for i in range(1, len(z) - 1) if z[i] >= here), len(z) - 1)
    share = (here - z[right - 1]) / (z[right] - z[right - 1])
    low, high = difference.bounds[right - 1], difference.bounds[right]
    return low + share * (high - low)


def ends(interval: Interval, level: float) -> tuple[float, float]:
    """Between which values the truth lies, each with certainty 1 - level: a 95 % interval's ends by normal
    quantiles.
    """
    times = NORMAL.inv_cdf(level) / NORMAL.inv_cdf(0.025)
    low, high = interval.value - interval.low, interval.high - interval.value
    return interval.value - times * low, interval.value + times * high


def chance(effect: float, error: float, level: float) -> float:
    """The chance that a true effect of `effect` above the bound is shown at `level`."""
    if error == 0:
        return 1.0 if effect > 0 else 0.0
    return NORMAL.cdf(effect / error + NORMAL.inv_cdf(level))


def rows_needed(rows: int, effect: float, error: float, level: float) -> int | None:
    """How many rows would show `effect` with a chance of ENOUGH; None where no number of rows would."""
    if effect <= 0 or not math.isfinite(error):
        return None
    allowed = effect / (NORMAL.inv_cdf(ENOUGH) - NORMAL.inv_cdf(level))
    return math.ceil(rows * (error / allowed) ** 2)


def fewest_rows(level: float) -> int:
    """Rows that a difference must rest on: fewer would show nothing at `level` even if all of them agreed."""
    return math.ceil(math.log2(1 / level))


def mcnemar(wins: int, losses: int) -> float:
    """The chance of so many wins or more, were a win as likely as a loss (exact, one-sided; McNemar 1947)."""
    total = wins + losses
    if not wins:
        return 1.0
    if wins <= losses:  # of the two tails the one that is short: its terms fall
        return 1 - mcnemar(losses + 1, wins - 1)
    logs = (math.lgamma(n + 1) for n in (total, wins, losses))
    term = math.exp(next(logs) - sum(logs) - total * math.log(2))
    found = 0.0
    for k in range(wins, total + 1):
        found += term
        if term < found * 1e-17:
            break
        term *= (total - k) / (k + 1)
    return found
