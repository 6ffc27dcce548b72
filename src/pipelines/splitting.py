"""Which rows are for learning, for choosing, and for the final judgment."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING

from pipelines.config import PipelineConfig
from pipelines.errors import DataError

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

# All rows in one order, piece by piece, of the given columns or of all.
Read = Callable[[list[str] | None], Iterator["pd.DataFrame"]]

PARTS = ("train", "validation", "test")
LEFT_OUT = len(PARTS)  # in place of a part's number: the row is in none
FEWEST = 10  # rows a part needs before a number measured on it says anything at all


def assign_parts(read: Read, config: PipelineConfig) -> NDArray[np.int8]:
    """The number in PARTS of each row, or LEFT_OUT."""
    import numpy as np
    import pandas as pd

    if config.split.by == "time":
        times = pd.concat(read([str(config.data.timestamp)]))[config.data.timestamp]
        return leave_gaps(cut(time_rank(times), config), times, config)
    if config.split.by == "group":
        entity = str(config.data.entity)
        return cut(np.concatenate([group_rank(frame, entity) for frame in read(None)]), config)
    return cut(np.concatenate([row_rank(frame) for frame in read(None)]), config)


def cut(position: NDArray[np.float64], config: PipelineConfig) -> NDArray[np.int8]:
    """Parts by where the rows stand between 0 and 1."""
    import numpy as np

    start_test = 1 - config.split.test
    bounds = [start_test - config.split.validation, start_test]
    return np.searchsorted(bounds, position, side="right").astype(np.int8)


def leave_gaps(member: NDArray[np.int8], times: pd.Series, config: PipelineConfig) -> NDArray[np.int8]:
    """Without the rows whose label comes only after the part that follows theirs has begun."""
    import numpy as np

    left = member.copy()
    for number in (1, 2) if config.split.gap else ():
        if (member == number).any():
            known_until = times[member == number].min() - config.split.gap
            left[(member < number) & (times > known_until).to_numpy()] = LEFT_OUT
    return np.asarray(left, dtype=np.int8)


def check_parts(parts: Mapping[str, pd.DataFrame], config: PipelineConfig) -> None:
    """Raise DataError where a part is too small, or holds one class only, or none that can be learnt."""
    sizes = {name: len(rows) for name, rows in parts.items()}
    if min(sizes.values()) < FEWEST:
        raise DataError(
            f"{sum(sizes.values())} usable rows split into {sizes}; every part needs at least {FEWEST}.",
            "Add data, or change `split` in the definition"
            + (f": its gap of {config.split.gap} leaves rows out." if config.split.gap else "."),
        )
    if config.task == "regression":
        return
    known = set(parts["train"][config.data.target])
    for name, rows in parts.items():
        found = rows[config.data.target].unique()
        if known.isdisjoint(found):
            raise DataError(
                f"The {name} part has no class of {config.data.target!r} that the training part has, as"
                f" {found[0]!r}; all its rows would be errors.",
                "Split at random, or by another column.",
            )
        if len(found) < 2:
            raise DataError(
                f"The {name} part holds one class only of {config.data.target!r}: {found[0]!r};"
                " expected at least two.",
                "Add rows of the other class, or split at random.",
            )


def tell_uneven(sizes: Mapping[str, int], config: PipelineConfig) -> str | None:
    """In words that a part has less than half of the share that was asked for, None where each has more."""
    split, total = config.split, sum(sizes.values())
    shares = {"train": 1 - split.validation - split.test, "validation": split.validation, "test": split.test}
    if all(sizes[part] >= share * total / 2 for part, share in shares.items()):
        return None
    column = {"group": config.data.entity, "time": config.data.timestamp}.get(split.by)
    why = f"Rows of one {column!r} stay in one part" if column else "Equal rows stay in one part"
    why += f", and the gap of {split.gap} leaves rows out." if split.gap else "."
    found = ", ".join(f"{part} {sizes[part]:,} ({share:.0%} asked for)" for part, share in shares.items())
    return f"The parts are uneven: {found}. {why}"


def time_rank(times: pd.Series) -> NDArray[np.float64]:
    """Where each row stands in time, 0 the first to below 1 the last.

    Equal times share a rank, so no moment is cut in two.
    """
    import numpy as np

    return np.asarray((times.rank(method="min") - 1) / len(times), dtype=np.float64)


def row_rank(frame: pd.DataFrame) -> NDArray[np.float64]:
    """A number in [0, 1) from each row's content.

    A row keeps its part when the table grows, so a later test part never holds rows that the champion learnt
    from; and equal rows are in one part. The target is of the content: each class is spread over the parts as
    all rows are, stratified in expectation. Exact shares of each class would move rows from part to part when
    the table grows.
    """
    import pandas as pd

    ranks: NDArray[np.float64] = pd.util.hash_pandas_object(frame, index=False).to_numpy() / 2.0**64
    return ranks


def group_rank(frame: pd.DataFrame, entity: str) -> NDArray[np.float64]:
    """As `row_rank`, from the entity alone: all of its rows are in one part, and stay there.

    A row of no known entity stands for itself.
    """
    import numpy as np
    import pandas as pd

    ranks = pd.util.hash_pandas_object(frame[entity], index=False).to_numpy() / 2.0**64
    unknown = frame[entity].isna().to_numpy()
    return np.where(unknown, row_rank(frame), ranks) if unknown.any() else np.asarray(ranks)
