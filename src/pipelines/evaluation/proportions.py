"""95 % intervals of a metric that is made of shares, where a bootstrap of few rows is too sure.

A bootstrap cannot see what did not happen: of twelve rows that are all right it says that every row will be.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Shares = NDArray[np.float64]

Ends = tuple[float, float]
Z = 1.959964  # of a normal error, that is within so many standard errors with a chance of 95 %


def wilson(hits: NDArray[Any], rows: NDArray[Any]) -> tuple[Shares, Shares]:
    """The score interval of each share of hits among so many rows (Wilson 1927); 0 to 1 of no rows."""
    import numpy as np

    middle = (hits + Z * Z / 2) / (rows + Z * Z)
    missed = (rows - hits) / np.maximum(rows, 1)
    width = Z * np.sqrt(hits * missed + Z * Z / 4) / (rows + Z * Z)
    return middle - width, middle + width


def mean_ends(
    hits: NDArray[Any], rows: NDArray[Any], of: Callable[[Shares], Shares] = lambda share: share
) -> Ends:
    """The interval of the mean of shares, or of what rises with each of them.

    Their Wilson intervals put together as independent ones (MOVER, Zou and Donner 2008).
    """
    import numpy as np

    value, (low, high) = of(hits / np.maximum(rows, 1)), map(of, wilson(hits, rows))
    below, above = (float(np.sqrt(((value - end) ** 2).sum())) / len(value) for end in (low, high))
    return float(value.mean()) - below, float(value.mean()) + above


def share_ends(hit: NDArray[np.bool_]) -> Ends:
    """Wilson's interval of the share of rows that are hit."""
    import numpy as np

    return mean_ends(np.array([hit.sum()]), np.array([len(hit)]))


def ranks_ends(auc: float, positives: int, negatives: int) -> Ends:
    """The interval of an AUC: Wilson's, of so many rows as give a share the variance that it has.

    That is Hanley and McNeil's (1982), which is near DeLong's, and knows that the two positive rows that are
    there may stand on top by chance.
    """
    import numpy as np

    beside = (positives - 1) * (1 - auc) / (2 - auc) + (negatives - 1) * auc / (1 + auc)
    rows = np.array([positives * negatives / (1 + beside)])
    return mean_ends(auc * rows, rows)


def calibration_ends(value: float, variance: Shares, rows: int) -> Ends:
    """The interval of an expected calibration error, by the variance of each bin's sum (bins,).

    What is measured is the truth and noise, |d + e| <= |d| + |e| in each bin, so few rows of a calibrated
    model look miscalibrated (Roelofs and others 2022; Widmann and others 2019). The lower end is what is left
    beyond the noise that a calibrated model would show: the sum of the bins' half-normal |e|, which is
    exceeded with a chance of 2.5 %. To the upper end the noise adds nothing, since E|d + e| >= |d|; four
    rows are added as in Agresti and Coull's interval (1998), for what did not happen.
    """
    import numpy as np

    errors = np.sqrt(variance) / rows
    noise = math.sqrt(2 / math.pi) * errors.sum() + Z * math.sqrt((1 - 2 / math.pi) * (errors**2).sum())
    return value - float(noise), value + Z * math.sqrt(float(variance.sum()) + Z * Z) / rows
