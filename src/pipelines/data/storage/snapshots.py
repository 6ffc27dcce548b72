"""The pipeline's data as versions of a Delta table, and the rows that a check refused beside it."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterator
from datetime import datetime
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.clock import now
from pipelines.data.columns import HIDDEN
from pipelines.data.storage.tables import (
    add_files,
    dataset_of,
    open_table,
    was_written,
    write_part,
    write_rows,
)
from pipelines.errors import DataError, DataRefused, writing
from pipelines.home import Home, PipelineFolder
from pipelines.ledger import Ledger
from pipelines.markdown import make_visible
from pipelines.records import Batch, Snapshot, ValidationReport, count_rows

if TYPE_CHECKING:
    import pandas as pd

PIECE = 250_000  # rows that are read at once where there are many
CARRIED = "carried.parquet"  # of a rebuild, beside the parts: what quarantine goes on to remember


def accept_batch(home: Home, batch: Batch, report: ValidationReport) -> Snapshot:
    """Put the batch's good rows into the pipeline's data and those that failed a check into quarantine, once.

    Quarantine is written first, the rows by one commit, the ledger last: a crash in between leaves what the
    next call finishes, and nothing twice. Raises DataRefused when the report refuses the batch, and DataError
    when there is nothing at all.
    """
    ledger = Ledger.open(home)
    if report.refused is not None:
        ledger.close_intake(report, "refused")
        raise DataRefused(
            f"Batch {batch.id} of {batch.pipeline}{named_sources(batch)} was refused: {report.refused}\n"
            f"Rows {count_rows(batch, report)}.",
            f"Nothing of it was used; it is kept in {batch.folder}.",
        )
    ledger.close_intake(report, "staged")  # what a killed process leaves can be finished from this
    folder = home.pipeline(batch.pipeline)
    if batch.rows:
        with writing("the rows", folder.root, "the batch is finished then, once"):
            write_quarantine(folder, batch, report)
            write_accepted(folder, batch, report)
    snapshot = current_snapshot(home, batch.pipeline)
    ledger.close_intake(report, "accepted", snapshot.version if snapshot else None)
    shutil.rmtree(batch.folder, ignore_errors=True)
    if snapshot is None:
        raise DataError(
            f"{batch.pipeline} has no data: {count_rows(batch, report)}.", "Add rows to data.source."
        )
    return snapshot


def named_sources(batch: Batch) -> str:
    """Which files the batch is from, as far as a line has room."""
    names = [make_visible(source.uri) for source in batch.sources]
    more = f" and {len(names) - 3:,} more" if len(names) > 3 else ""
    return f", from {', '.join(names[:3])}{more}," if names else ""


# ------------------------------------------------------------------------------------------------ writing


def parts_of(batch: Batch) -> list[Path]:
    """The files of a staged batch. Raises DataError where they are gone."""
    parts = sorted(Path(batch.folder).glob("part-*.parquet"))
    if not parts:
        raise DataError(f"{batch.folder}: the staged batch is gone.", "Read the source again.")
    return parts


def failing_rows(report: ValidationReport) -> Any:
    """`_seq` of each row that a check refused, ascending, with all its reasons in one line."""
    import pyarrow as pa

    from pipelines.data.storage.tables import ask

    if report.failures_path is None:
        return pa.table({"_seq": pa.array([], pa.int64()), "_reason": pa.array([], pa.string())})
    sql = """SELECT _seq, string_agg(DISTINCT reason, '; ' ORDER BY reason) AS _reason
        FROM read_parquet(?) GROUP BY 1 ORDER BY 1"""
    found = ask(sql, [report.failures_path])
    return pa.Table.from_pandas(found.astype({"_seq": "int64"}), preserve_index=False)


def write_quarantine(folder: PipelineFolder, batch: Batch, report: ValidationReport) -> None:
    """Keep the failing rows with their reasons and with the text of the cells that could not be read.

    A replay's rows are there already; the batch of a changed definition takes the place of all rows.
    """
    import pyarrow as pa

    nothing = report.failures_path is None and not (batch.rebuilt and open_table(folder.quarantine))
    if batch.replays or nothing or was_written(folder.quarantine, batch.id):
        return
    reasons, schema = failing_rows(report), quarantine_schema(batch)
    refused = refused_rows(batch, reasons, unread_cells(batch))
    pieces = (piece.select(schema.names).cast(schema) for piece in chain(refused, carried_rows(batch)))
    rows = pa.RecordBatchReader.from_batches(schema, (b for piece in pieces for b in piece.to_batches()))
    write_rows(folder.quarantine, rows, "overwrite" if batch.rebuilt else "append", once=batch.id)


def carried_rows(batch: Batch) -> list[Any]:
    """What a rebuild leaves of quarantine: the originals of rows that were repaired."""
    from pyarrow import parquet

    path = Path(batch.folder) / CARRIED
    return [parquet.read_table(path)] if path.exists() else []


def quarantine_schema(batch: Batch) -> Any:
    import pyarrow as pa
    from pyarrow import parquet

    added = [("_batch", pa.string()), ("_reason", pa.string()), ("_quarantined_at", pa.timestamp("us"))]
    added += [("_unread", pa.string()), ("_replayed", pa.string())]
    return pa.schema(
        [
            *parquet.read_schema(parts_of(batch)[0]).remove_metadata(),
            *map(pa.field, *zip(*added, strict=True)),
        ]
    )


def refused_rows(batch: Batch, reasons: Any, unread: Any) -> Iterator[Any]:
    """Of each part the failing rows, as quarantine keeps them."""
    import pyarrow as pa
    import pyarrow.compute as pc
    from pyarrow import parquet

    moment = now()
    for path in parts_of(batch):
        rows = parquet.read_table(path)
        rows = rows.filter(pc.is_in(rows["_seq"], value_set=reasons["_seq"].combine_chunks()))
        why = reasons["_reason"].take(pc.index_in(rows["_seq"], value_set=reasons["_seq"].combine_chunks()))
        text = unread["_unread"].take(pc.index_in(rows["_seq"], value_set=unread["_seq"].combine_chunks()))
        values = [batch.id, why, moment, text, pa.nulls(rows.num_rows, pa.string())]
        for name, value in zip(
            ("_batch", "_reason", "_quarantined_at", "_unread", "_replayed"), values, strict=True
        ):
            column = (
                pa.repeat(pa.scalar(value), rows.num_rows) if isinstance(value, str | datetime) else value
            )
            rows = rows.append_column(name, column)
        yield rows


def unread_cells(batch: Batch) -> Any:
    """For each row with cells that could not be read, their texts as a JSON object by column."""
    import pyarrow as pa

    from pipelines.data.storage.tables import ask

    if not batch.problems:
        return pa.table({"_seq": pa.array([], pa.int64()), "_unread": pa.array([], pa.string())})
    sql = """SELECT _seq, to_json(map_from_entries(list(row("column", found))))::VARCHAR AS _unread
        FROM read_parquet(?) WHERE rule = 'value_is_readable' GROUP BY 1"""
    found = ask(sql, [str(Path(batch.folder) / "problems.parquet")])
    schema = pa.schema([("_seq", pa.int64()), ("_unread", pa.string())])
    return pa.Table.from_pandas(found, schema=schema, preserve_index=False)


def write_accepted(folder: PipelineFolder, batch: Batch, report: ValidationReport) -> None:
    """Make the parts the table's own files: linked, or written anew without their failing rows."""
    import pyarrow as pa
    from pyarrow import parquet

    if was_written(folder.rows, batch.id):
        return
    place = folder.rows / f"_batch={batch.id}"
    place.mkdir(parents=True, exist_ok=True)
    failing = failing_rows(report)["_seq"].to_numpy()
    parts = parts_of(batch)
    files = [file for part in parts if (file := put_part(part, place, failing)) is not None]
    schema = parquet.read_schema(parts[0]).remove_metadata().append(pa.field("_batch", pa.string()))
    if files or batch.rebuilt:
        add_files(folder.rows, files, schema, "overwrite" if batch.rebuilt else "append", batch.id)


def put_part(part: Path, place: Path, failing: Any) -> Path | None:
    """The part's good rows as a file in `place`; None where it has none."""
    import numpy as np
    import pyarrow as pa
    from pyarrow import parquet

    file = place / part.name
    file.unlink(missing_ok=True)  # of a call that was killed
    seq = parquet.read_table(part, columns=["_seq"])["_seq"].to_numpy()
    good = ~np.isin(seq, failing)
    if good.all():
        os.link(part, file)
    elif good.any():
        write_part(parquet.read_table(part).filter(pa.array(good)), file)
    return file if good.any() else None


# ------------------------------------------------------------------------------------------------ reading


def current_snapshot(home: Home, pipeline: str) -> Snapshot | None:
    """The newest version of the pipeline's data; None before the first batch."""
    path = home.pipeline(pipeline).rows
    table = open_table(path)
    if table is None:
        return None
    rows, fingerprint = fingerprint_of(dataset_of(table))
    return Snapshot(
        pipeline=pipeline, uri=str(path), version=table.version(), rows=rows, fingerprint=fingerprint
    )


def fingerprint_of(dataset: Any) -> tuple[int, str]:
    """The number of rows, and a hex of their content and the columns' types; their order does not matter."""
    import numpy as np

    count = total = mixed = 0
    for piece in dataset.to_batches(columns=["_row"]):
        hashes = piece["_row"].to_numpy().view(np.uint64)
        count += len(hashes)
        total += int(hashes.sum())
        mixed ^= int(np.bitwise_xor.reduce(hashes)) if len(hashes) else 0
    content = f"{user_schema(dataset.schema)}:{count}:{total % 2**64}:{mixed}"
    return count, hashlib.sha256(content.encode()).hexdigest()[:32]


def user_schema(schema: Any) -> dict[str, str]:
    """A stored table's columns without the hidden ones, by name."""
    return {field.name: str(field.type) for field in schema if field.name not in HIDDEN}


def read_snapshot(snapshot: Snapshot) -> pd.DataFrame:
    """The snapshot's rows, the user's columns only, in the order in which they were taken in.

    Raises DataError where they are gone, as after a vacuum.
    """
    dataset = open_snapshot(snapshot)
    try:
        rows = dataset.to_table(columns=[*user_schema(dataset.schema), "_seq"]).sort_by("_seq")
    except FileNotFoundError as error:
        raise gone(snapshot) from error
    return rows.drop_columns(["_seq"]).to_pandas()  # type: ignore[no-any-return]


def read_pieces(snapshot: Snapshot, columns: list[str] | None = None) -> Iterator[pd.DataFrame]:
    """The snapshot's rows in pieces of at most PIECE, always in the same order; `columns`, or all the user's.

    Raises DataError where they are gone, as after a vacuum.
    """
    dataset = open_snapshot(snapshot)
    names = columns or list(user_schema(dataset.schema))
    try:
        # Arrow reads ahead 16 pieces of each of 4 files unless it is told otherwise.
        found = dataset.to_batches(columns=names, batch_size=PIECE, batch_readahead=2, fragment_readahead=1)
        for piece in found:
            yield piece.to_pandas()
    except FileNotFoundError as error:
        raise gone(snapshot) from error


def open_snapshot(snapshot: Snapshot) -> Any:
    """The snapshot's files as an Arrow dataset. Raises DataError where the version is gone."""
    from deltalake.exceptions import DeltaError

    try:
        table = open_table(Path(snapshot.uri), snapshot.version)
    except DeltaError as error:  # a table that was begun anew has no such version
        raise gone(snapshot) from error
    if table is None:
        raise gone(snapshot)
    return dataset_of(table)


def check_snapshot(snapshot: Snapshot) -> None:
    """Raise DataError where the version or a file of it is gone; no row is read."""
    if not all((Path(snapshot.uri) / file).exists() for file in open_snapshot(snapshot).files):
        raise gone(snapshot)


def gone(snapshot: Snapshot) -> DataError:
    return DataError(
        f"{snapshot.uri}: the data of {snapshot.id} is gone.", "`evergreen data` lists what is there."
    )


def quarantined_rows(home: Home, pipeline: str) -> int:
    """How many rows wait in quarantine."""
    import pyarrow.dataset as ds

    table = open_table(home.pipeline(pipeline).quarantine)
    waiting = ds.field("_replayed").is_null()
    return 0 if table is None else int(dataset_of(table).count_rows(filter=waiting))


def next_seq(folder: PipelineFolder) -> int:
    """The number that the next row taken in gets: above all that rows ever had here."""
    tables = (open_table(folder.rows), open_table(folder.quarantine))
    return 1 + max(highest_seq(table) for table in tables if table is not None) if any(tables) else 0


def highest_seq(table: Any) -> int:
    """The greatest `_seq` of a Delta table, -1 where it has no rows."""
    import pyarrow as pa
    import pyarrow.compute as pc

    files = pa.table(table.get_add_actions(flatten=True))
    known = files["max._seq"] if "max._seq" in files.column_names else pa.nulls(files.num_rows, pa.int64())
    if known.null_count:  # of a wide table's quarantine Delta keeps the ends of other columns
        known = dataset_of(table).to_table(columns=["_seq"])["_seq"]
    highest: int | None = pc.max(known).as_py()
    return -1 if highest is None else highest
