"""A feature that does nearly all of the work by itself: it may know what is only known later."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from pipelines.records import Task

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

ROWS = 20_000
GROUPS = 64  # of a number's values, at most
PRIOR = 1.0  # rows' worth of the overall mean in each group


def skill_alone(rows: pd.DataFrame, target: pd.Series, task: Task, names: list[str]) -> dict[str, float]:
    """What each feature tells of the target by itself: 1 all, 0 nothing.

    The share of the target's spread (of a class: the Gini impurity) that goes when each row is foretold by
    the mean of the other half's rows with about the same value, or, of a number, by a line between the two
    nearest of them if that is better. On at most ROWS rows: half of them foretell the other half, and the
    other way round.
    """
    import numpy as np

    chosen = np.random.default_rng(0).permutation(len(rows))[:ROWS]
    truth = as_numbers(target.iloc[chosen], task)
    half = np.arange(len(chosen)) % 2 == 0
    found = {}
    for name in names:
        column = rows[name].iloc[chosen]
        groups = groups_of(column, half)
        found[name] = skill(truth, [errors_of(groups, truth, learn) for learn in (half, ~half)])
        if task == "regression" and is_number(
            column
        ):  # in groups, the tail of a skewed target is foretold badly by its own copy
            values = column.to_numpy("float64", na_value=np.nan)
            between = skill(truth, [errors_between(values, truth, learn) for learn in (half, ~half)])
            found[name] = max(found[name], between)
    return found


def as_numbers(target: pd.Series, task: Task) -> NDArray[np.float64]:
    """(rows, 1) of values, or (rows, classes) of zeros and ones."""
    import numpy as np
    import pandas as pd

    if task == "regression":
        return target.to_numpy("float64")[:, None]
    codes, names = pd.factorize(target.astype(str))
    return np.eye(len(names))[codes]


def groups_of(column: pd.Series, half: NDArray[np.bool_]) -> NDArray[np.int64]:
    """The group of each row: 0 where nothing is known. Numbers are cut at quantiles of one half."""
    import numpy as np
    import pandas as pd

    if pd.api.types.is_datetime64_any_dtype(column):
        column = column.astype("int64")
    most = min(GROUPS, math.isqrt(len(column)))  # of few rows, finer groups would be nearly empty
    if pd.api.types.is_numeric_dtype(column) and column.nunique() > most:
        values = column.to_numpy("float64", na_value=np.nan)
        edges = np.unique(np.nanquantile(values[half], np.linspace(0, 1, most + 1)))
        return np.where(np.isnan(values), 0, 1 + np.searchsorted(edges, values)).astype(np.int64)
    common = column.value_counts().index
    return np.asarray(pd.Categorical(column, categories=common).codes.astype(np.int64) + 1)


def is_number(column: pd.Series) -> bool:
    import pandas as pd

    return bool(pd.api.types.is_numeric_dtype(column)) and bool(column.notna().any())


def skill(truth: NDArray[np.float64], halves: list[NDArray[np.float64]]) -> float:
    import numpy as np

    errors = np.concatenate(halves)
    spread = float(((truth - truth.mean(axis=0)) ** 2).sum())
    return max(0.0, 1 - float((errors**2).sum()) / spread) if spread else 0.0


def errors_of(
    groups: NDArray[np.int64], truth: NDArray[np.float64], learn: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Of the rows that are not learnt from, by the means of those that are."""
    import numpy as np

    count, overall = int(groups.max()) + 1, truth[learn].mean(axis=0)
    sizes = np.bincount(groups[learn], minlength=count)[:, None]
    sums = np.stack([np.bincount(groups[learn], column[learn], count) for column in truth.T], axis=1)
    means = (sums + PRIOR * overall) / (sizes + PRIOR)
    return np.asarray(truth[~learn] - means[groups[~learn]])


def errors_between(
    values: NDArray[np.float64], truth: NDArray[np.float64], learn: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Of the rows that are not learnt from, by a line between the nearest values of those that are."""
    import numpy as np

    known = learn & ~np.isnan(values)
    places, which = np.unique(values[known], return_inverse=True)
    count = np.bincount(which, minlength=len(places))
    asked, overall = values[~learn], truth[learn].mean(axis=0)
    found = np.repeat(overall[None, :], len(asked), axis=0)
    for i, column in enumerate(truth[known].T if len(places) else ()):
        means = np.bincount(which, column, len(places)) / count
        found[:, i] = np.where(np.isnan(asked), overall[i], np.interp(asked, places, means))
    return np.asarray(truth[~learn] - found)
