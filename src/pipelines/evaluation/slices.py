"""Parts of the test rows: those a definition names, and those on which a model is worst."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise
from typing import TYPE_CHECKING

from pipelines.errors import ConfigError

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    from pipelines.config import PipelineConfig

MOST_GROUPS = 20  # values of a category that make a slice each, the most frequent
TOGETHER = 64
NUMBERS = (".4g", ".17g")  # how the ends of a slice are written, the shorter ones first
TIMES = ("%Y-%m-%d %H:%M", "%Y-%m-%d %H:%M:%S.%f")
LEAST_SHARE, LEAST_ROWS = 0.01, 50  # of a slice that is found: of fewer rows nothing can be said
PARENTS = 30  # single conditions that are tried in pairs: those with the worst rows
LEVEL = 0.05  # chance that anything is found where there is nothing, whatever could be tried


@dataclass(frozen=True)
class Slice:
    """A condition in words, and which rows meet it."""

    name: str
    mask: NDArray[np.bool_]
    found: bool = False


def named_slices(rows: pd.DataFrame, names: list[str]) -> list[Slice]:
    """The slices that a definition names: a column stands for each of its groups, else it is a condition.

    Conditions are pandas' (`age >= 60 and city == "Rome"`). Raises ConfigError where one cannot be read.
    """
    found: list[Slice] = []
    for name in names:
        found += list(group_slices(rows[name])) if name in rows.columns else [condition_slice(rows, name)]
    return found


def check_conditions(config: PipelineConfig) -> None:
    """Raise ConfigError, before there are rows, for a condition that none of such types can be asked."""
    import pandas as pd

    values = {"number": 1.0, "time": pd.Timestamp(0)}  # of all others text; "1" can be read as a number, too
    row = pd.DataFrame({name: [values.get(column.type, "1")] for name, column in config.columns.items()})
    named_slices(row, [name for name in config.evaluation.slices if name not in row.columns])


def condition_slice(rows: pd.DataFrame, condition: str) -> Slice:
    import numpy as np
    import pandas as pd

    try:
        mask = np.asarray(rows.eval(condition, engine="python"))
    except Exception as error:  # pandas raises whatever its parser, or the operation, raised
        raise unreadable(condition, str(error), rows) from error
    if mask.shape == (len(rows),):  # what cannot be answered of a row that lacks a value is not so
        mask = np.where(pd.isna(mask), False, mask)
    if mask.shape != (len(rows),) or pd.api.types.infer_dtype(mask) != "boolean":
        raise unreadable(condition, "it is true or false of no row", rows)
    return Slice(condition, mask.astype(bool))


def unreadable(condition: str, why: str, rows: pd.DataFrame) -> ConfigError:
    return ConfigError(
        f"evaluation.slices: {condition!r} is neither a column nor a condition on the rows: {why}.",
        f"Columns: {', '.join(map(str, rows.columns))}. A condition is written as `age >= 60`.",
    )


def group_slices(column: pd.Series, most: int = MOST_GROUPS) -> Iterator[Slice]:
    """A slice for each of the `most` frequent values, or quarter of numbers or times, and one of none."""
    import pandas as pd

    if column.isna().any():
        yield Slice(f"{column.name} is missing", column.isna().to_numpy())
    time = pd.api.types.is_datetime64_any_dtype(column)
    if time or (pd.api.types.is_numeric_dtype(column) and column.nunique() > MOST_GROUPS):
        yield from quarters(column)
    else:
        for value in column.value_counts().index[:most]:
            said = str(value).removesuffix(".0") if pd.api.types.is_numeric_dtype(column) else value
            yield Slice(f"{column.name} = {said}", (column == value).to_numpy(bool, na_value=False))


def quarters(column: pd.Series) -> Iterator[Slice]:
    """The rows between the quartiles of a number, or of a time."""
    import pandas as pd

    edges = column.quantile([0, 0.25, 0.5, 0.75, 1]).dropna().unique()
    formats = NUMBERS if pd.api.types.is_numeric_dtype(column) else TIMES
    for (low, high), (start, end) in zip(pairwise(edges), pairwise(apart(edges, formats)), strict=True):
        below = column <= high if high == edges[-1] else column < high
        within = ((column >= low) & below).to_numpy(bool, na_value=False)
        yield Slice(f"{column.name} from {start} to {end}", within)


def apart(edges: Iterable[object], formats: Sequence[str]) -> list[str]:
    """The edges in the shortest format in which no two are alike: a slice is known by its name."""
    tried = [[format(edge, one) for edge in edges] for one in formats]
    return next((words for words in tried if len(set(words)) == len(words)), tried[-1])


def worst_slices(rows: pd.DataFrame, losses: NDArray[np.float64], most: int = 5) -> list[Slice]:
    """Where the losses (rows,) are higher than elsewhere, beyond chance: the clearest first.

    Conditions on one column, and of pairs those of the worst, are tried by Welch's t against the other rows;
    the level is shared among all conditions and all their pairs (Bonferroni). After SliceFinder (Chung and
    others, 2019).
    """
    from scipy.special import ndtri

    if most == 0 or len(rows) < 2 * LEAST_ROWS:
        return []
    singles, count = try_singles(rows, losses)
    pairs = [
        Slice(f"{one.name}, {other.name}", one.mask & other.mask)
        for (_, one), (_, other) in combinations(singles, 2)
    ]
    tried = [*singles, *score_all(pairs, losses)]
    # Of all pairs: those that were passed over were so for what the same losses said of them.
    bound = -float(ndtri(LEVEL / max(count + math.comb(count, 2), 1)))
    clear = sorted((found for found in tried if found[0] > bound), key=lambda found: -found[0])
    return distinct([part for _, part in clear], most)


def try_singles(rows: pd.DataFrame, losses: NDArray[np.float64]) -> tuple[list[tuple[float, Slice]], int]:
    """The PARENTS conditions on one column with the worst rows, and how many were tried."""
    best: list[tuple[float, Slice]] = []
    count = 0
    for name in rows.columns:
        found = score_all(list(group_slices(rows[name])), losses)
        count += len(found)
        worse = [one for one in found if one[0] > 0]
        best = sorted([*best, *worse], key=lambda one: -one[0])[:PARENTS]
    return best, count


def score_all(parts: list[Slice], losses: NDArray[np.float64]) -> list[tuple[float, Slice]]:
    """Each with its t, a few at a time: as numbers, masks need eight times their memory."""
    import numpy as np

    found: list[tuple[float, Slice]] = []
    for start in range(0, len(parts), TOGETHER):
        some = parts[start : start + TOGETHER]
        found += zip(welch(np.stack([part.mask for part in some]), losses).tolist(), some, strict=True)
    return found


def welch(masks: NDArray[np.bool_], losses: NDArray[np.float64]) -> NDArray[np.float64]:
    """Welch's t of the losses in each mask (slices, rows) against those outside; -inf where rows are few."""
    import numpy as np

    count, weights = len(losses), masks.astype(np.float64)
    inside = weights.sum(axis=1)
    enough = (inside >= max(LEAST_ROWS, LEAST_SHARE * count)) & (count - inside >= LEAST_ROWS)
    size = np.stack([np.where(enough, inside, 1), np.where(enough, count - inside, 1)])
    sums, squares = weights @ losses, weights @ losses**2
    means = np.stack([sums, losses.sum() - sums]) / size
    variances = np.stack([squares, (losses**2).sum() - squares]) / size - means**2
    error = np.sqrt((np.maximum(variances, 0) / size).sum(axis=0))
    t = (means[0] - means[1]) / np.where(error > 0, error, np.inf)
    return np.asarray(np.where(enough, t, -np.inf))


def distinct(clear: list[Slice], most: int) -> list[Slice]:
    """The first ones, but none that has most of its rows in common with one before it."""
    found = list[Slice]()
    for one in clear:
        if all(2 * (one.mask & other.mask).sum() <= (one.mask | other.mask).sum() for other in found):
            found.append(Slice(one.name, one.mask, found=True))
        if len(found) == most:
            break
    return found
