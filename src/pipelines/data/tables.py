"""Delta tables: open, append once, ask with SQL."""

from __future__ import annotations

import random
import time
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pipelines.errors import EvergreenError

if TYPE_CHECKING:
    import pandas as pd

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
        except Exception as error:
            if attempt == TRIES - 1 or not is_conflict(error):
                raise EvergreenError(
                    f"{path}: the rows could not be written: {error}.", "Try again."
                ) from error
            time.sleep(random.uniform(0.01, 0.05) * 1.6**attempt)  # noqa: S311
        else:
            return


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


def ask(sql: str, parameters: Iterable[object] = (), **tables: Any) -> pd.DataFrame:
    """The answer of DuckDB to `sql` over Delta or Arrow tables given by name; times naive, as stored."""
    import duckdb

    with duckdb.connect(":memory:") as connection:
        for name, table in tables.items():
            connection.register(
                name, table.to_pyarrow_dataset() if hasattr(table, "to_pyarrow_dataset") else table
            )
        return connection.execute(sql, list(parameters)).df()


def read_columns(path: Path, columns: list[str]) -> Any | None:
    """Some columns as an Arrow table; None where there is no table."""
    table = open_table(path)
    return None if table is None else table.to_pyarrow_dataset().to_table(columns=columns)
