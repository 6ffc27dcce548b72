"""Measure one window of logged predictions: drift against the reference and, with labels, quality."""

from __future__ import annotations

import math
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.config import PipelineConfig
from pipelines.monitoring.distances import spell_category
from pipelines.monitoring.drift import measure_drift
from pipelines.monitoring.reference import Reference
from pipelines.records import Interval, Quality, Task, WindowMeasure

if TYPE_CHECKING:
    import pandas as pd

FEWEST_LABELS = 30


def main_version(rows: pd.DataFrame) -> int | None:
    """The model version that scored most of `rows`, the newer of two equals; None without rows."""
    versions = rows["_version"].dropna()
    return None if versions.empty else int(versions.mode().max())


def measure_window(
    config: PipelineConfig,
    rows: pd.DataFrame,
    span: tuple[datetime, datetime],
    reference: Reference,
    expected: float,
    html: Path | None = None,
) -> WindowMeasure:
    """What was measured from `span[0]` to `span[1]`, of the version that scored most of its rows.

    `rows` has the features, `_prediction`, `_label` (missing where unknown), `_version` and, for classes,
    `_p_<class>`; `reference` is that version's and `expected` its metric at promotion. Raises ValueError for
    no rows.
    """
    version = main_version(rows)
    if version is None:
        raise ValueError("a window without rows has no version to measure")
    own = rows[rows["_version"] == version]
    return WindowMeasure(
        pipeline=config.pipeline,
        start=span[0],
        end=span[1],
        version=version,
        rows=len(own),
        labelled=int(own["_label"].notna().sum()),
        drift=measure_drift(own, reference.frame, reference.tests, html),
        quality=measure_quality(config, own, expected),
    )


def measure_quality(config: PipelineConfig, rows: pd.DataFrame, expected: float) -> Quality | None:
    """The realised metric on the labelled rows; None under 30, or where it or `expected` has no value."""
    labelled = rows[rows["_label"].notna()].reset_index(drop=True)
    if len(labelled) < FEWEST_LABELS or not math.isfinite(expected):
        return None
    target, predictions = split_label(config, labelled)
    realised = realised_metric(config.task, config.metric, target, predictions)
    if realised is None:
        return None
    return Quality(metric=config.metric, labelled=len(labelled), realised=realised, expected=expected)


def split_label(config: PipelineConfig, rows: pd.DataFrame) -> tuple[pd.Series, pd.DataFrame]:
    """Labels, and predictions under the metrics' names: `prediction` and `p_<class>`."""
    import pandas as pd

    chosen = ["_prediction", *(name for name in rows if str(name).startswith("_p_"))]
    predictions = rows[chosen].rename(columns=lambda name: str(name)[1:])
    if config.task == "regression":
        return pd.to_numeric(rows["_label"]), predictions.astype("float64")
    words = [
        column.astype(object).map(spell_category) for column in (rows["_label"], predictions["prediction"])
    ]
    return words[0], predictions.assign(prediction=words[1])


def realised_metric(task: Task, metric: str, target: pd.Series, predictions: pd.DataFrame) -> Interval | None:
    """The metric with its 95 % interval, as in an evaluation; None where it has no value, as an AUC of one
    class."""
    from pipelines.evaluation.comparing import compare
    from pipelines.evaluation.metrics import find_statistic, read_rows
    from pipelines.evaluation.resampling import Resamples

    found = find_statistic(metric, read_rows(task, target, predictions))
    if found is None or not math.isfinite(found.value):
        return None
    return compare(metric, {"served": found}, Resamples(len(target))).interval("served")
