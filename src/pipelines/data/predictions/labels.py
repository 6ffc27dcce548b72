"""Reading a file of late ground truth."""

from __future__ import annotations

from pathlib import Path

from pipelines.config import PipelineConfig
from pipelines.data.predictions.prediction_log import LabelResult, append_labels
from pipelines.data.sources import read_table
from pipelines.errors import DataError
from pipelines.home import Home


def add_labels(home: Home, config: PipelineConfig, path: Path) -> LabelResult:
    """Record the labels of a file with `prediction_id` and the target column, or `label`.

    Raises DataError where one is missing.
    """
    frame = read_table(path, config.data.format)
    label = next((name for name in (config.data.target, "label") if name in frame.columns), None)
    if "prediction_id" not in frame.columns or label is None:
        raise DataError(
            f"{path}: expected columns prediction_id and {config.data.target} (or label),"
            f" found: {', '.join(map(str, frame.columns))}.",
            "Give the ids that `evergreen score` or the prediction service answered, and the true values.",
        )
    return append_labels(
        home, config.pipeline, frame[["prediction_id", label]].set_axis(["_id", "_label"], axis=1)
    )
