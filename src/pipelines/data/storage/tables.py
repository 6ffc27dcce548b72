"""Delta tables: open, append once, ask with SQL."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pipelines.errors import EvergreenError

if TYPE_CHECKING:
    import pandas as pd

# Delta forgets old versions after 30 days unless told otherwise; ours go by `retention` alone.
# Of a file it keeps the ends of its first 32 columns unless told which.
SETTINGS = {
    "delta.logRetentionDuration": "interval 36500 days",
    "delta.checkpointInterval": "100",
    "delta.dataSkippingStatsColumns": "_seq",
}
GROWING = {"_seq": "DELTA_BINARY_PACKED"}
TRIES = 12  # writers of one table at once; each waits longer than the one before


def open_table(path: Path, version: int | None = None) -> Any | None:
    """The Delta table at `path`, or None where there is none yet."""
    from deltalake import DeltaTable

    if not DeltaTable.is_deltatable(str(path)):
        return None
    return DeltaTable(str(path), version=version)


def write_rows(
    path: Path, rows: Any, mode: Literal["append", "overwrite"] = "append", once: str | None = None
) -> None:
    """Append an Arrow table, or put it in place of all rows; under the name `once`, at most one time.

    New columns are added to the table. Another writer's commit in between is no failure: it is tried again.
    """
    from deltalake import CommitProperties, Transaction, write_deltalake

    marks = CommitProperties(app_transactions=[Transaction(once, 1)]) if once else CommitProperties()
    path.mkdir(parents=True, exist_ok=True)
    for attempt in range(TRIES):
        if once and was_written(path, once):
            return
        schema_mode: Literal["merge", "overwrite"] = "merge" if mode == "append" else "overwrite"
        try:
            write_deltalake(str(path), rows, mode=mode, schema_mode=schema_mode, commit_properties=marks)
        except Exception as error:  # noqa: BLE001 - deltalake has no class of its own for conflicts
            wait_or_raise(error, path, attempt)
        else:
            return


def update_rows(path: Path, changes: Any, columns: dict[str, str]) -> None:
    """Change rows of the table where `_seq` is that of a row of `changes`, an Arrow table.

    `columns` has the SQL of each new value, over `held` (the row) and `new` (its change).
    """
    for attempt in range(TRIES):
        table = open_table(path)
        if table is None:
            return
        merge = table.merge(changes, "held._seq = new._seq", source_alias="new", target_alias="held")
        try:
            merge.when_matched_update(columns).execute()
        except Exception as error:  # noqa: BLE001 - as above
            wait_or_raise(error, path, attempt)
        else:
            return


def wait_or_raise(error: Exception, path: Path, attempt: int) -> None:
    """Wait a little where another writer was quicker; else, or after many tries, raise EvergreenError."""
    if attempt == TRIES - 1 or not is_conflict(error):
        raise EvergreenError(
            f"{path}: the rows could not be written: {error}.",
            "Make room where the disk is full, then try again.",
        ) from error
    time.sleep(random.uniform(0.01, 0.05) * 1.6**attempt)  # noqa: S311


def add_files(
    path: Path, files: list[Path], schema: Any, mode: Literal["append", "overwrite"], once: str
) -> None:
    """Make Parquet files under `path` part of the table, in one commit; under `once`, one time at most.

    The table is partitioned by `_batch`, whose value is in a file's folder: `_batch=<id>/<file>`.
    """
    from deltalake import CommitProperties, DeltaTable, Transaction
    from deltalake import Schema as DeltaSchema
    from deltalake.transaction import create_table_with_add_actions

    if was_written(path, once):
        return
    actions = [add_action(path, file) for file in files]
    marks = CommitProperties(app_transactions=[Transaction(once, 1)])
    if open_table(path) is None:
        create_table_with_add_actions(
            str(path),
            DeltaSchema.from_arrow(schema),
            actions,
            partition_by=["_batch"],
            configuration=SETTINGS,
            commit_properties=marks,
        )
    else:
        DeltaTable(str(path)).create_write_transaction(
            actions, mode, schema, ["_batch"], commit_properties=marks
        )


def add_action(path: Path, file: Path) -> Any:
    """Delta's line for one file, with the statistics that readers skip files by."""
    from deltalake.transaction import AddAction
    from pyarrow import parquet

    facts = parquet.read_metadata(file)
    at = facts.schema.names.index("_seq")
    groups = [facts.row_group(i).column(at).statistics for i in range(facts.num_row_groups)]
    stats = {
        "numRecords": facts.num_rows,
        "minValues": {"_seq": min(group.min for group in groups)},
        "maxValues": {"_seq": max(group.max for group in groups)},
        "nullCount": {"_seq": 0},
    }
    found = file.stat()
    batch = file.parent.name.removeprefix("_batch=")
    return AddAction(
        path=str(file.relative_to(path)),
        size=found.st_size,
        partition_values={"_batch": batch},
        modification_time=int(found.st_mtime * 1000),
        data_change=True,
        stats=json.dumps(stats),
    )


def write_part(rows: Any, path: Path) -> None:
    """An Arrow table as a Parquet file, quick to write and to read; fingerprints never repeat."""
    from pyarrow import parquet

    repeating = [name for name in rows.column_names if name not in ("_row", "_seq")]
    draft = path.with_suffix(".draft")
    parquet.write_table(rows, draft, use_dictionary=repeating, column_encoding=GROWING)
    draft.replace(path)


def is_conflict(error: Exception) -> bool:
    """Whether another writer was quicker; deltalake raises plain exceptions for some of these."""
    from deltalake.exceptions import CommitFailedError

    words = (
        "already exists",
        "conflict",
        "concurrent",
        "transaction",
        "version mismatch",
        "metadata changed",
    )
    return isinstance(error, CommitFailedError) or any(word in str(error).lower() for word in words)


def was_written(path: Path, once: str) -> bool:
    table = open_table(path)
    return table is not None and table.transaction_version(once) is not None


def dataset_of(table: Any) -> Any:
    """The files of an open Delta table as an Arrow dataset; local ones are read by Arrow itself.

    Delta's own reader of files is Python: Arrow's threads let go of it after the last row, and where the
    interpreter is ending just then, the process aborts.
    """
    from pyarrow import fs

    if not table.table_uri.startswith("file:"):
        return table.to_pyarrow_dataset()
    files, folder = fs.FileSystem.from_uri(table.table_uri)
    return table.to_pyarrow_dataset(filesystem=fs.SubTreeFileSystem(folder, files))


def ask(sql: str, parameters: Iterable[object] = (), **tables: Any) -> pd.DataFrame:
    """The answer of DuckDB to `sql` over Delta or Arrow tables given by name; times naive, as stored."""
    import duckdb

    with duckdb.connect(":memory:") as connection:
        for name, table in tables.items():
            connection.register(name, dataset_of(table) if hasattr(table, "table_uri") else table)
        return connection.execute(sql, list(parameters)).df()
