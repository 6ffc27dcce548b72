"""Which rows are for learning, for choosing, and for the final judgment."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipelines.config import PipelineConfig
from pipelines.errors import DataError

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

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
    start_test = 1 - config.split.test
    start_validation = start_test - config.split.validation
    parts = Parts(
        train=frame[position < start_validation],
        validation=frame[(position >= start_validation) & (position < start_test)],
        test=frame[position >= start_test],
    )
    sizes = {"train": len(parts.train), "validation": len(parts.validation), "test": len(parts.test)}
    if min(sizes.values()) < FEWEST:
        raise DataError(
            f"{len(frame)} usable rows split into {sizes}; every part needs at least {FEWEST}.",
            "Add data, or change `split` in the definition.",
        )
    check_classes(parts, config)
    return parts


def check_classes(parts: Parts, config: PipelineConfig) -> None:
    """Raise DataError where a part of a classification holds one class only."""
    if config.task == "regression":
        return
    for name in ("train", "validation", "test"):
        found = getattr(parts, name)[config.data.target].unique()
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
