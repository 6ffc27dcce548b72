"""The world in which the model was found good: a sample of its rows, and a drift test for each column."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from pipelines.config import ColumnType
from pipelines.monitoring import calibration
from pipelines.monitoring.distances import KIND_OF, Method, prepare_column
from pipelines.records import Record

if TYPE_CHECKING:
    import pandas as pd

PREDICTION = "_prediction"


class DriftTest(Record):
    """When a column has drifted.

    `threshold` is in the method's unit; `missing_threshold` bounds the change of the share of missing values,
    and `missing_most` is the largest such share of a calm window. Method `missing`: the reference has no
    value at all.
    """

    method: Method
    threshold: float
    missing_threshold: float
    missing_most: float


class Reference(NamedTuple):
    """At most 5,000 rows, features and `_prediction`, with the drift test of each column."""

    frame: pd.DataFrame
    tests: dict[str, DriftTest]


def build_reference(
    frame: pd.DataFrame, columns: dict[str, ColumnType], time: pd.Series | None, window: timedelta
) -> Reference:
    """A seeded sample of the rows that a champion was judged on, and tests calibrated on all of them.

    `frame` has the features and the model's `_prediction`; `time` belongs to its rows, by position. Of
    `columns`, times and texts are left out, for they always move; `_prediction` is a number or a category by
    its values where `columns` does not say.
    """
    import numpy as np

    kinds = {name: kind for name, kind in columns.items() if name in frame}
    if PREDICTION in frame:
        kinds.setdefault(PREDICTION, guess_kind(frame[PREDICTION]))
    kept = calibration.sample_rows(np.arange(len(frame)), calibration.MOST_ROWS)
    windows = calibration.cut_windows(len(frame), time, window)
    tests: dict[str, DriftTest] = {}
    for name, kind in kinds.items():
        if kind in {"number", "category"}:
            method: Method = "wasserstein" if kind == "number" else "jensenshannon"
            tests[name] = calibrate_column(frame[name], method, windows, kept)
    return Reference(frame[list(tests)].iloc[kept].reset_index(drop=True), tests)


def calibrate_column(
    column: pd.Series, method: Method, windows: list[calibration.Rows], kept: calibration.Rows
) -> DriftTest:
    """The drift test of one column."""
    values = prepare_column(column, KIND_OF[method])
    missing_threshold, missing_most = calibration.calibrate_missing(values, windows)
    empty = bool(values.iloc[kept].isna().all())
    threshold = calibration.FLOOR if empty else calibration.calibrate_distance(method, values, windows, kept)
    return DriftTest(
        method="missing" if empty else method,
        threshold=threshold,
        missing_threshold=missing_threshold,
        missing_most=missing_most,
    )


def guess_kind(column: pd.Series) -> ColumnType:
    """`number` for numbers, `category` for labels."""
    from pandas.api.types import is_bool_dtype, is_numeric_dtype

    return "number" if is_numeric_dtype(column) and not is_bool_dtype(column) else "category"


def write_reference(folder: Path, reference: Reference) -> list[Path]:
    """Write `reference.parquet` and `reference.json` (column: test) to `folder`, to travel with the model."""
    import pandas as pd

    folder.mkdir(parents=True, exist_ok=True)
    rows, tests = folder / "reference.parquet", folder / "reference.json"
    as_written = {
        name: prepare_column(reference.frame[name], KIND_OF[test.method])
        for name, test in reference.tests.items()
    }
    pd.DataFrame(as_written).to_parquet(rows, index=False)
    tests.write_text(
        json.dumps({name: test.model_dump() for name, test in reference.tests.items()}, indent=1)
    )
    return [rows, tests]


def read_reference(folder: Path) -> Reference:
    """The reference that `write_reference` wrote to `folder`."""
    import pandas as pd

    tests = json.loads((folder / "reference.json").read_text(encoding="utf-8"))
    frame = pd.read_parquet(folder / "reference.parquet")
    return Reference(frame, {name: DriftTest(**test) for name, test in tests.items()})
