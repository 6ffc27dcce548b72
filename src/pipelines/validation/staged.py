"""A staged batch as a table of DuckDB: `batch`, a view of its parts, which is never in memory as a whole."""

from __future__ import annotations

import os
import shutil
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.config import PipelineConfig
from pipelines.errors import ConfigError, DataError
from pipelines.validation.words import LONGEST_WORDS, one_line

if TYPE_CHECKING:
    import duckdb
    import sqlalchemy as sa

MEMORY = "800MB"  # beyond it DuckDB goes on in files beside the parts
SEQ = "_seq"
# `unexpected_rows_expectation` brings SQL of its own: it sees no file but those of the batch, fetches no
# extension, and cannot lift that.
SHUT = [
    "SET autoinstall_known_extensions = false",
    "SET autoload_known_extensions = false",
    "SET allowed_directories = [$folder]",
    "SET enable_external_access = false",
    "SET lock_configuration = true",
]
# What data says goes into reasons that people read in a terminal: no control, format or line characters.
WORDS = [
    r"CREATE MACRO visible(x) AS regexp_replace(x, '[\p{C}\p{Zl}\p{Zp}]', chr(65533), 'g')",
    f"CREATE MACRO short(x) AS CASE WHEN length(x) > {LONGEST_WORDS} "
    f"THEN left(x, {LONGEST_WORDS - 1}) || '…' ELSE x END",
    "CREATE MACRO plain_words(x) AS coalesce(CAST(x AS VARCHAR), 'nothing')",
    "CREATE MACRO quoted_words(x) AS coalesce('''' || visible(short(x)) || '''', 'nothing')",
]


@dataclass
class Staged:
    """The batch as DuckDB sees it: `batch` (columns and `_seq`) and, if there are any, `problems`."""

    folder: Path
    columns: dict[str, str]  # the user's, with DuckDB's types
    connection: duckdb.DuckDBPyConnection
    engine: sa.Engine
    tables: list[str] = field(default_factory=list)

    def ask(self, sql: str, parameters: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """The rows that DuckDB answers."""
        return self.connection.execute(sql, list(parameters)).fetchall()

    def fetch(self, query: sa.Executable) -> Sequence[Any]:
        """The rows that DuckDB answers to a statement of SQLAlchemy."""
        with self.engine.connect() as connection:
            return connection.execute(query).all()

    def create_table(self, columns: str) -> str:
        """A new empty table; it goes with the connection."""
        name = f"own_{len(self.tables)}"
        self.connection.execute(f"CREATE TEMP TABLE {name} ({columns})")
        self.tables.append(name)
        return name


@contextmanager
def open_staged(config: PipelineConfig, folder: Path) -> Iterator[Staged]:
    """Open the parts of a batch. Raises DataError where they cannot be read, ConfigError for names that
    differ in nothing but case, which SQL cannot tell apart.
    """
    import duckdb
    from sqlalchemy.exc import DBAPIError

    require_distinct_names(config)
    parts = [str(part) for part in sorted(folder.glob("part-*.parquet"))]
    spill = folder / "spill"
    connection = duckdb.connect(":memory:", config={"memory_limit": MEMORY, "temp_directory": str(spill)})
    try:
        yield prepare(connection, folder, parts)
    except (duckdb.Error, DBAPIError) as error:
        cause = getattr(error, "orig", error)
        if not isinstance(cause, (duckdb.IOException, duckdb.InvalidInputException)):
            raise
        raise DataError(
            f"{folder}: the staged batch cannot be read: {one_line(cause)}.", "Ingest its source again."
        ) from error
    finally:
        connection.close()
        shutil.rmtree(spill, ignore_errors=True)


def require_distinct_names(config: PipelineConfig) -> None:
    counts = Counter(name.lower() for name in config.columns)
    same = [name for name in config.columns if counts[name.lower()] > 1]
    if same:
        raise ConfigError(
            f"{config.folder / 'pipeline.yaml'}: columns {', '.join(same)} differ only in case.",
            "Rename one.",
        )


def prepare(connection: duckdb.DuckDBPyConnection, folder: Path, parts: list[str]) -> Staged:
    """Create the views, then shut the door."""
    connection.execute(f"SET threads = {os.cpu_count() or 1}")
    views = {"batch": parts, "problems": [str(path) for path in folder.glob("problems.parquet")]}
    for name, files in views.items():
        if files or name == "batch":
            listed = ", ".join(quote_text(file) for file in files or [str(folder / "part-00000.parquet")])
            connection.execute(f"CREATE VIEW {name} AS SELECT * FROM read_parquet([{listed}])")  # noqa: S608
    for statement in SHUT:
        parameters = {"folder": str(folder)} if "$folder" in statement else None
        connection.execute(statement, parameters)
    for statement in WORDS:
        connection.execute(statement)
    described = connection.execute("DESCRIBE batch").fetchall()
    return Staged(
        folder=folder,
        columns={name: kind for name, kind, *_ in described if name not in {"_row", SEQ}},
        connection=connection,
        engine=engine_on(connection),
        tables=[name for name, files in views.items() if files],
    )


def engine_on(connection: duckdb.DuckDBPyConnection) -> sa.Engine:
    """The connection for SQLAlchemy. Each statement is a transaction: none is left broken by another."""
    import sqlalchemy as sa
    from duckdb_engine import ConnectionWrapper

    class Autocommit(ConnectionWrapper):
        def begin(self) -> None: ...
        def commit(self) -> None: ...
        def rollback(self) -> None: ...

    engine = sa.create_engine(
        "duckdb://", creator=lambda: Autocommit(connection), poolclass=sa.pool.StaticPool
    )
    # The dialect knows PostgreSQL's reserved words; DuckDB has others, and columns are called so.
    words = connection.execute("SELECT keyword_name FROM duckdb_keywords()").fetchall()
    engine.dialect.identifier_preparer.reserved_words = {word for (word,) in words}
    return engine


def quote_text(text: str) -> str:
    """A string in SQL."""
    return "'" + text.replace("'", "''") + "'"
