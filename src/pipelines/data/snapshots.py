"""The pipeline's data as versions of a Delta table, and the rows that a check refused beside it."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.data.batches import user_schema
from pipelines.data.columns import HIDDEN
from pipelines.data.tables import open_table, was_written, write_rows
from pipelines.errors import DataError, DataRefused
from pipelines.home import Home
from pipelines.records import Batch, Snapshot, ValidationReport

if TYPE_CHECKING:
    import pandas as pd


def accept_batch(home: Home, batch: Batch, report: ValidationReport) -> Snapshot:
    """Put the batch's good rows into the pipeline's data and those that failed a check into quarantine, once.

    Quarantine is written first: a crash in between leaves rows that the next call adds, and none twice.
    Raises DataRefused when the report refuses the batch, and DataError when there is nothing at all.
    """
    if report.refused is not None:
        raise DataRefused(
            f"Batch {batch.id} of {batch.pipeline} was refused: {report.refused}",
            f"Nothing of it was used; it is kept in {Path(batch.path).parent}.",
        )
    folder = home.pipeline(batch.pipeline)
    if batch.rows:
        rows = read_staged(batch)
        reasons = read_reasons(report)
        write_quarantine(folder.quarantine, rows, reasons, batch)
        write_accepted(folder.rows, rows, reasons, batch)
    snapshot = current_snapshot(home, batch.pipeline)
    if snapshot is None:
        raise DataError(f"{batch.pipeline} has no data: the source gave no rows.", "Add rows to data.source.")
    return snapshot


def read_staged(batch: Batch) -> Any:
    from pyarrow import parquet

    try:
        return parquet.read_table(batch.path)
    except FileNotFoundError as error:
        raise DataError(f"{batch.path}: the staged batch is gone.", "Read the source again.") from error


def read_reasons(report: ValidationReport) -> dict[int, str]:
    """Why each failed row was refused, by its position in the batch; several reasons in one line."""
    from pyarrow import parquet

    if report.failures_path is None:
        return {}
    found: dict[int, list[str]] = {}
    for failure in parquet.read_table(report.failures_path, columns=["position", "reason"]).to_pylist():
        reasons = found.setdefault(failure["position"], [])
        if failure["reason"] not in reasons:
            reasons.append(failure["reason"])
    return {position: "; ".join(reasons) for position, reasons in found.items()}


def write_quarantine(path: Path, rows: Any, reasons: dict[int, str], batch: Batch) -> None:
    import pyarrow as pa

    rebuilt = has_other_columns(path, rows)
    if not reasons and not rebuilt:
        return
    positions = sorted(reasons)
    refused = rows.take(pa.array(positions, pa.int64()))
    now = datetime.now(UTC).replace(tzinfo=None)
    added = {
        "_batch": pa.array([batch.id] * len(positions), pa.string()),
        "_reason": pa.array([reasons[position] for position in positions], pa.string()),
        "_quarantined_at": pa.array([now] * len(positions), pa.timestamp("us")),
    }
    for name, values in added.items():
        refused = refused.append_column(name, values)
    write_rows(path, refused, "overwrite" if rebuilt else "append", once=batch.id)


def write_accepted(path: Path, rows: Any, reasons: dict[int, str], batch: Batch) -> None:
    """Append what has no reason against it; `_seq` keeps the order in which rows were taken in."""
    import numpy as np
    import pyarrow as pa

    if was_written(path, batch.id):
        return
    rebuilt = has_other_columns(path, rows)
    table = open_table(path)
    start = 0 if table is None or rebuilt else table.to_pyarrow_dataset().count_rows()
    wanted = np.ones(rows.num_rows, dtype=bool)
    wanted[list(reasons)] = False
    good = rows.filter(pa.array(wanted))
    good = good.append_column("_batch", pa.array([batch.id] * good.num_rows, pa.string()))
    good = good.append_column("_seq", pa.array(range(start, start + good.num_rows), pa.int64()))
    write_rows(path, good, "overwrite" if rebuilt else "append", once=batch.id)


def has_other_columns(path: Path, rows: Any) -> bool:
    """Whether the table holds rows of another definition: the batch has all rows and takes their place."""
    table = open_table(path)
    return table is not None and user_schema(table.to_pyarrow_dataset().schema) != user_schema(rows.schema)


# ------------------------------------------------------------------------------------------------ reading


def current_snapshot(home: Home, pipeline: str) -> Snapshot | None:
    """The newest version of the pipeline's data; None before the first batch."""
    path = home.pipeline(pipeline).rows
    table = open_table(path)
    if table is None:
        return None
    dataset = table.to_pyarrow_dataset()
    hashes = dataset.to_table(columns=["_row"])["_row"].to_numpy()
    return Snapshot(
        pipeline=pipeline,
        uri=str(path),
        version=table.version(),
        rows=len(hashes),
        fingerprint=fingerprint_of(hashes, user_schema(dataset.schema)),
    )


def fingerprint_of(hashes: Any, schema: dict[str, str]) -> str:
    """Hex of the rows' content and the columns' names and types; the order of rows does not matter."""
    import numpy as np

    digest = hashlib.sha256(repr(schema).encode())
    digest.update(np.sort(hashes).astype("<i8").tobytes())
    return digest.hexdigest()[:32]


def read_snapshot(snapshot: Snapshot) -> pd.DataFrame:
    """The snapshot's rows, the user's columns only, in the order in which they were taken in."""
    table = open_table(Path(snapshot.uri), snapshot.version)
    if table is None:
        raise DataError(f"{snapshot.uri}: the data of {snapshot.id} is gone.", "Restore the home folder.")
    rows = table.to_pyarrow_dataset().to_table()
    ordered = rows.sort_by("_seq").drop_columns([name for name in HIDDEN if name in rows.column_names])
    return ordered.to_pandas()  # type: ignore[no-any-return]


def quarantined_rows(home: Home, pipeline: str) -> int:
    """How many rows are in quarantine."""
    table = open_table(home.pipeline(pipeline).quarantine)
    return 0 if table is None else int(table.to_pyarrow_dataset().count_rows())
