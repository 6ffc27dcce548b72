"""A snapshot as MLflow shows data: name, digest, place, columns and number of rows; none of the rows."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from pipelines.config import PipelineConfig
from pipelines.records import Snapshot

if TYPE_CHECKING:
    from mlflow.entities import DatasetInput

LONGEST_DIGEST = 36  # characters that MLflow's database takes
LONGEST_SCHEMA = 1_048_575  # likewise; thousands of columns with long names have more
TYPES = {"number": "double", "time": "datetime", "category": "string", "text": "string"}


def snapshot_input(config: PipelineConfig, snapshot: Snapshot) -> DatasetInput:
    """What a run learnt from: Delta table and version, which MLflow names and does not read."""
    from mlflow.entities import Dataset, DatasetInput, InputTag

    columns = [
        {"type": TYPES[column.type], "name": name, "required": False}
        for name, column in config.columns.items()
    ]
    schema = json.dumps({"mlflow_colspec": columns})
    dataset = Dataset(
        name=config.pipeline,
        digest=snapshot.fingerprint[:LONGEST_DIGEST],
        source_type="delta_table",
        source=json.dumps({"path": snapshot.uri, "delta_table_version": snapshot.version}),
        schema=schema if len(schema) <= LONGEST_SCHEMA else None,
        profile=json.dumps({"num_rows": snapshot.rows}),
    )
    return DatasetInput(dataset, [InputTag("mlflow.data.context", "training")])
