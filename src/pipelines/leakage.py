"""A feature that does nearly all of the work by itself: it may know what is only known later."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipelines.records import Task

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

ROWS = 20_000
LEAST = 4  # of a class, or it is left out: two in each half
GROUPS = 64  # of a number's values, at most
PRIOR = 1.0  # rows' worth of the overall mean in each group


@dataclass(frozen=True)
class Rows:
    """What is foretold: truth (rows, outputs), what each row counts (rows,), and which are the one half."""

    truth: NDArray[np.float64]
    weight: NDArray[np.float64]
    half: NDArray[np.bool_]


def skill_alone(rows: pd.DataFrame, target: pd.Series, task: Task, names: list[str]) -> dict[str, float]:
    """What each feature tells of the target by itself: 1 all, 0 nothing; empty where nothing is to be told.

    The share of the target's spread (of classes: the Gini impurity, as if each had as many rows, since the
    rare one is asked about) that goes when each row is foretold by the mean of the other half's rows with
    about the same value, or, of a number, by a line between the two nearest of them if that is better. On at
    most ROWS rows: half of them foretell the other half, and the other way round. A class of fewer than LEAST
    rows is left out.
    """
    import numpy as np

    chosen, half = deal(target, task)
    truth = as_numbers(target.iloc[chosen], task)
    if not len(truth) or not np.ptp(truth, axis=0).any():
        return {}
    known = Rows(truth, weigh(truth, task), half)
    return {name: skill_of(rows[name].iloc[chosen], known) for name in names}


def deal(target: pd.Series, task: Task) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """The rows to look at, by a seeded draw, and which are the one half: of each class as many as of others,
    as far as it has them."""
    import numpy as np

    order = np.random.default_rng(0).permutation(len(target))
    if task == "regression":
        return order[:ROWS], np.arange(len(order[:ROWS])) % 2 == 0
    names = target.iloc[order].astype(str).reset_index(drop=True)
    classes = names.groupby(names, sort=False)
    turn = classes.cumcount()[classes.transform("size") >= LEAST].sort_values(kind="stable")[:ROWS]
    return order[turn.index], (turn % 2 == 0).to_numpy()


def as_numbers(target: pd.Series, task: Task) -> NDArray[np.float64]:
    """(rows, 1) of values, or (rows, classes) of zeros and ones."""
    import numpy as np
    import pandas as pd

    if task == "regression":
        return target.to_numpy("float64")[:, None]
    codes, names = pd.factorize(target.astype(str))
    return np.eye(len(names))[codes]


def weigh(truth: NDArray[np.float64], task: Task) -> NDArray[np.float64]:
    """All rows alike, or all classes alike; 1 in the mean."""
    import numpy as np

    if task == "regression":
        return np.ones(len(truth))
    return np.asarray(truth @ (len(truth) / truth.shape[1] / truth.sum(axis=0)))


def skill_of(column: pd.Series, known: Rows) -> float:
    """The better of both ways: in groups, the tail of a skewed target, or a rare class, is foretold badly by
    its own copy."""
    import numpy as np

    groups, found = groups_of(column, known.half), []
    found.append(skill(known, lambda learn: by_group(groups, known, learn)))
    if is_number(column):
        values = column.to_numpy("float64", na_value=np.nan)
        found.append(skill(known, lambda learn: by_neighbours(values, known, learn)))
    return max(found)


def skill(known: Rows, foretell: Callable[[NDArray[np.bool_]], NDArray[np.float64]]) -> float:
    """`foretell` makes of the rows to learn from what it expects of all others (others, outputs)."""
    import numpy as np

    left = 0.0
    for learn in (known.half, ~known.half):
        left += float(known.weight[~learn] @ ((known.truth[~learn] - foretell(learn)) ** 2).sum(axis=1))
    mean = np.average(known.truth, axis=0, weights=known.weight)
    return max(0.0, 1 - left / float(known.weight @ ((known.truth - mean) ** 2).sum(axis=1)))


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
        return np.where(np.isnan(values), 0, 1 + np.searchsorted(edges[1:-1], values)).astype(np.int64)
    common = column.value_counts().index
    return np.asarray(pd.Categorical(column, categories=common).codes.astype(np.int64) + 1)


def is_number(column: pd.Series) -> bool:
    import pandas as pd

    return bool(pd.api.types.is_numeric_dtype(column)) and bool(column.notna().any())


def by_group(groups: NDArray[np.int64], known: Rows, learn: NDArray[np.bool_]) -> NDArray[np.float64]:
    """The means of the rows learnt from, by group."""
    import numpy as np

    count, weight, truth = int(groups.max()) + 1, known.weight[learn], known.truth[learn]
    overall = np.average(truth, axis=0, weights=weight)
    sizes = np.bincount(groups[learn], weight, count)[:, None]
    sums = np.stack([np.bincount(groups[learn], weight * column, count) for column in truth.T], axis=1)
    return np.asarray(((sums + PRIOR * overall) / (sizes + PRIOR))[groups[~learn]])


def by_neighbours(values: NDArray[np.float64], known: Rows, learn: NDArray[np.bool_]) -> NDArray[np.float64]:
    """A line between the nearest values of the rows learnt from; of gaps, the mean of their gaps."""
    import numpy as np

    gap = np.isnan(values)
    found = by_group(gap.astype(np.int64), known, learn)
    chosen, asked = learn & ~gap, ~gap[~learn]
    places, which = np.unique(values[chosen], return_inverse=True)
    size = np.bincount(which, known.weight[chosen], len(places))
    for i, column in enumerate(known.truth[chosen].T if len(places) else ()):
        means = np.bincount(which, known.weight[chosen] * column, len(places)) / size
        found[asked, i] = np.interp(values[~learn][asked], places, means)
    return found
