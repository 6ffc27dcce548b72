"""What a table looks like, in numbers that are small enough to keep with each snapshot."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import unquote

from pydantic import ValidationError

from pipelines.config import ColumnType, PipelineConfig
from pipelines.data.columns import HIDDEN
from pipelines.data.statistics.counting import (
    ColumnStatistics,
    choose_bins,
    count_columns,
    count_rows,
    opened,
    outcome,
)
from pipelines.data.storage.tables import open_table
from pipelines.errors import DataError, writing
from pipelines.files import write_whole
from pipelines.home import Home
from pipelines.records import Record, Snapshot

__all__ = [
    "ColumnStatistics",
    "TableStatistics",
    "describe_files",
    "snapshot_statistics",
    "version_statistics",
]


class TableStatistics(Record):
    """A table by columns; of a target of two classes `positive` is the one that counts as 1."""

    rows: int
    target: str
    positive: str | None = None
    columns: dict[str, ColumnStatistics]


def describe_files(files: list[str], columns: dict[str, ColumnType], target: str) -> TableStatistics:
    """Count the rows of Parquet files; `columns` that a file has not are missing there.

    Takes time in proportion to the rows and about a gigabyte at most. Raises DataError for a file that cannot
    be read.
    """
    with opened(files, columns) as connection:
        rows = count_rows(connection)
        bins = choose_bins(connection, columns, rows)
        classes = sorted(map(str, bins[target].values)) if target in bins else []
        two = columns.get(target) == "category" and len(classes) == 2
        positive = classes[1] if two else None
        found = count_columns(connection, columns, bins, outcome(columns, target, positive))
    return TableStatistics(rows=rows, target=target, positive=positive, columns=found)


# ------------------------------------------------------------------------------------------------ snapshots


def snapshot_statistics(home: Home, snapshot: Snapshot, config: PipelineConfig) -> TableStatistics:
    """The statistics of a snapshot. Raises DataError where its files are gone."""
    return version_statistics(home, config, snapshot.version)


def version_statistics(home: Home, config: PipelineConfig, version: int) -> TableStatistics:
    """The statistics of a version of the pipeline's data, counted once and kept as JSON."""
    folder = home.pipeline(config.pipeline)
    table = open_table(folder.rows, version)
    if table is None:
        raise DataError(f"{folder.rows}: the data of {config.pipeline} is gone.", "Restore the home folder.")
    columns = stored_columns(table.schema().to_arrow(), config)
    kept = folder.statistics / f"{version}.json"
    found = read_statistics(kept)
    if found is None or found.target != config.data.target or types_of(found) != columns:
        files = [unquote(uri).removeprefix("file://") for uri in table.file_uris()]
        found = describe_files(files, columns, config.data.target)
        write_statistics(kept, found)
    return found


def stored_columns(schema: Any, config: PipelineConfig) -> dict[str, ColumnType]:
    """The columns of a stored table, of the type that they had then."""
    import pyarrow as pa

    columns: dict[str, ColumnType] = {}
    for name, kind in ((name, pa.field(schema.field(name)).type) for name in schema.names):
        text = name in config.columns and config.columns[name].type == "text" and name != config.data.target
        if name not in HIDDEN:
            columns[name] = (
                "number"
                if pa.types.is_floating(kind)
                else "time"
                if pa.types.is_timestamp(kind)
                else "text"
                if text
                else "category"
            )
    return columns


def types_of(found: TableStatistics) -> dict[str, ColumnType]:
    return {name: column.type for name, column in found.columns.items()}


def read_statistics(path: Path) -> TableStatistics | None:
    try:
        return TableStatistics.model_validate_json(path.read_bytes())
    except (FileNotFoundError, ValidationError):  # another version of Evergreen wrote it: count again
        return None


def write_statistics(path: Path, found: TableStatistics) -> None:
    with writing("the statistics of a snapshot", path.parent, "they are counted again"):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, found.model_dump_json())
