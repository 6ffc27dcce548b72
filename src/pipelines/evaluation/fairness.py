"""How a model treats groups of people: whom it selects, whom it misses, whether its numbers mean the same."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from pipelines.config import PipelineConfig
from pipelines.evaluation.slices import group_slices
from pipelines.partition import Partition
from pipelines.records import GroupFairness, GroupRates, Rate

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

LEAST_ROWS = 30  # of a group that is compared: of fewer, a rate says nothing
MOST = 100  # groups of a column, the largest: each is a pass over the rows, and two are compared each time


def measure_groups(config: PipelineConfig, rows: Partition, answers: pd.DataFrame) -> list[GroupFairness]:
    """How the groups of each column that the definition names are treated, on all test rows."""
    if not config.evaluation.groups:
        return []
    target = rows.column(config.data.target, "test")
    return [measure_fairness(rows.column(name, "test"), target, answers) for name in config.evaluation.groups]


def measure_fairness(group: pd.Series, target: pd.Series, predictions: pd.DataFrame) -> GroupFairness:
    """Rates of each group of a column, for a model of two classes; the second one is to be selected.

    Selection rate (demographic parity; the ratio is that of the four-fifths rule, 29 CFR 1607.4), true and
    false positive rate (equalised odds, Hardt and others 2016) and mean probability less frequency
    (calibration). Groups of fewer than LEAST_ROWS rows are listed, and are in no widest difference; beyond
    the MOST largest, groups are only counted.
    """
    name = str(predictions.columns[-1])
    truth = (target.astype(str) == name.removeprefix("p_")).to_numpy()
    said = (predictions["prediction"].astype(str) == name.removeprefix("p_")).to_numpy()
    chance = predictions[name].to_numpy("float64")
    over = chance - truth
    groups = [rate_group(part.name, part.mask, truth, said, over) for part in group_slices(group, MOST)]
    large = [one for one in groups if one.rows >= LEAST_ROWS]
    return GroupFairness(
        column=str(group.name),
        groups=groups,
        left_out=max(0, group.nunique(dropna=False) - len(groups)) if len(groups) >= MOST else 0,
        selection_ratio=least_ratio([one.selection for one in large]),
        odds_difference=widest([one.true_positive for one in large], [one.false_positive for one in large]),
        calibration_difference=widest([one.calibration for one in large]),
    )


def rate_group(
    name: str,
    mask: NDArray[np.bool_],
    truth: NDArray[np.bool_],
    said: NDArray[np.bool_],
    over: NDArray[np.float64],
) -> GroupRates:
    """Of the rows of a mask; `over` is how far the probability is above what came, 0 or 1."""
    return GroupRates(
        group=name,
        rows=int(mask.sum()),
        selection=share(said[mask]),
        true_positive=share(said[mask & truth]),
        false_positive=share(said[mask & ~truth]),
        calibration=mean(over[mask]),
    )


def share(chosen: NDArray[np.bool_]) -> Rate | None:
    """A share with its standard error (Agresti and Coull 1998: two rows of each kind are added for it)."""
    if not len(chosen):
        return None
    value, near = float(chosen.mean()), (float(chosen.sum()) + 2) / (len(chosen) + 4)
    return Rate(value=value, error=math.sqrt(near * (1 - near) / (len(chosen) + 4)), rows=len(chosen))


def mean(values: NDArray[np.float64]) -> Rate | None:
    if len(values) < 2:
        return None
    return Rate(
        value=float(values.mean()), error=float(values.std(ddof=1)) / math.sqrt(len(values)), rows=len(values)
    )


def widest(*rates: list[Rate | None]) -> Rate | None:
    """The largest difference between two groups in any of the rates; None where one has no two to compare.

    Equalised odds are both rates: of one alone nothing follows.
    """
    found = []
    for one in rates:
        known = [rate for rate in one if rate and rate.rows >= LEAST_ROWS]
        if len(known) < 2:
            return None
        found.append(difference(*ends(known)))
    return max(found, key=lambda rate: rate.value)


def least_ratio(rates: list[Rate | None]) -> Rate | None:
    """The lowest rate over the highest, with its standard error by the delta method; None where that is 0."""
    known = [rate for rate in rates if rate]
    if len(known) < 2:
        return None
    low, high = ends(known)
    if high.value == 0:
        return None
    value = low.value / high.value
    error = math.hypot(low.error, value * high.error) / high.value
    return Rate(value=value, error=error, rows=min(low.rows, high.rows))


def difference(low: Rate, high: Rate) -> Rate:
    """How much higher the second rate is, with its standard error; the rows are the fewer of the two."""
    error = math.hypot(low.error, high.error)
    return Rate(value=high.value - low.value, error=error, rows=min(low.rows, high.rows))


def ends(rates: list[Rate]) -> tuple[Rate, Rate]:
    """The lowest and the highest."""
    low, high = (chosen(rates, key=lambda rate: rate.value) for chosen in (min, max))
    return low, high
