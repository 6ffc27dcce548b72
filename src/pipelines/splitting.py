"""Which rows are for learning, for choosing, and for the final judgment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipelines.config import PipelineConfig
from pipelines.errors import DataError

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

PARTS = ("train", "validation", "test")
FEWEST = 10  # rows a part needs before a number measured on it says anything at all


@dataclass(frozen=True)
class Parts:
    """The three parts of a table; no row is in two."""

    train: pd.DataFrame
    validation: pd.DataFrame
    test: pd.DataFrame


def split_rows(frame: pd.DataFrame, config: PipelineConfig) -> Parts:
    """Split labelled rows as the definition says.

    Raises DataError where a part would be too small to mean anything.
    """
    position = time_rank(frame, config) if config.split.by == "time" else row_rank(frame)
    member = assign_parts(position, config)
    parts = {name: frame[member == number] for number, name in enumerate(PARTS)}
    check_parts(parts, config)
    return Parts(**parts)


def assign_parts(position: NDArray[np.float64], config: PipelineConfig) -> NDArray[np.int8]:
    """The number in PARTS of each row, from where it stands between 0 and 1."""
    import numpy as np

    start_test = 1 - config.split.test
    bounds = [start_test - config.split.validation, start_test]
    return np.searchsorted(bounds, position, side="right").astype(np.int8)


def check_parts(parts: Mapping[str, pd.DataFrame], config: PipelineConfig) -> None:
    """Raise DataError where a part is too small, or holds one class only of a classification."""
    sizes = {name: len(rows) for name, rows in parts.items()}
    if min(sizes.values()) < FEWEST:
        raise DataError(
            f"{sum(sizes.values())} usable rows split into {sizes}; every part needs at least {FEWEST}.",
            "Add data, or change `split` in the definition.",
        )
    if config.task == "regression":
        return
    for name, rows in parts.items():
        found = rows[config.data.target].unique()
        if len(found) < 2:
            raise DataError(
                f"The {name} part holds one class only of {config.data.target!r}: {found[0]!r};"
                " expected at least two.",
                "Add rows of the other class, or split at random.",
            )


def time_rank(frame: pd.DataFrame, config: PipelineConfig) -> NDArray[np.float64]:
    """Where each row stands in time, 0 the first to below 1 the last.

    Equal times share a rank, so no moment is cut in two.
    """
    import numpy as np

    ranks = frame[config.data.timestamp].rank(method="min")
    return np.asarray((ranks - 1) / len(frame), dtype=np.float64)


def row_rank(frame: pd.DataFrame) -> NDArray[np.float64]:
    """A number in [0, 1) from each row's content.

    A row keeps its part when the table grows, so a later test part never holds rows that the champion learnt
    from; and equal rows are in one part.
    """
    import pandas as pd

    ranks: NDArray[np.float64] = pd.util.hash_pandas_object(frame, index=False).to_numpy() / 2.0**64
    return ranks
