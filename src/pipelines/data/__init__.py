"""Data: read, take in once, keep as versions, log predictions, propose a definition.

The only package that knows Delta Lake, DuckDB and Arrow; they are imported where they are used.
"""

from pipelines.data.batches import stage_batch
from pipelines.data.definition import InitResult, init_definition
from pipelines.data.prediction_log import (
    LabelResult,
    append_labels,
    append_predictions,
    compact,
    read_window,
    window_counts,
)
from pipelines.data.snapshots import accept_batch, current_snapshot, quarantined_rows, read_snapshot
from pipelines.data.sources import coerce, find_files, read_table

__all__ = [
    "InitResult",
    "LabelResult",
    "accept_batch",
    "append_labels",
    "append_predictions",
    "coerce",
    "compact",
    "current_snapshot",
    "find_files",
    "init_definition",
    "quarantined_rows",
    "read_snapshot",
    "read_table",
    "read_window",
    "stage_batch",
    "window_counts",
]
