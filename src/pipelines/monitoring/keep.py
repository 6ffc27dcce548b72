"""What a new champion will be compared with, kept at the moment in which it is judged."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.config import PipelineConfig
from pipelines.data.storage.snapshots import read_snapshot
from pipelines.models.bundle import load_bundle
from pipelines.monitoring.reference import build_reference, write_reference
from pipelines.records import Attempt, TrainedModel

if TYPE_CHECKING:
    import pandas as pd


def keep_reference(config: PipelineConfig, attempt: Attempt, trained: TrainedModel) -> str:
    """Write a model's reference beside it, from its snapshot's rows and its predictions; the folder."""
    rows = dated_rows(read_snapshot(attempt.snapshot), config)
    rows = rows.assign(
        _prediction=load_bundle(Path(trained.folder), trained.files).predict(rows)["prediction"]
    )
    columns = {name: config.columns[name].type for name in config.feature_columns}
    time = rows[config.data.timestamp] if config.data.timestamp else None
    folder = reference_folder(Path(attempt.folder))
    write_reference(folder, build_reference(rows, columns, time, config.monitoring.window))
    return str(folder)


def reference_folder(attempt: Path) -> Path:
    return attempt / "reference"


def dated_rows(frame: pd.DataFrame, config: PipelineConfig) -> pd.DataFrame:
    """The rows that have a time, where the table has one; all seasons of the past count as ordinary."""
    name = config.data.timestamp
    return frame if name is None else frame[frame[name].notna()]
