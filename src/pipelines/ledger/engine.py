"""The database of one home folder, and what every subject of the ledger reads and writes it by."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from pipelines.errors import EvergreenError

HEAD = "0004"
CANNOT_WRITE = ("disk is full", "disk I/O error", "readonly database", "unable to open database")


def open_engine(path: Path) -> sa.Engine:
    """An engine on the SQLite file `path`, brought to the newest form."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # 30 s: several of our processes write here, each for a few milliseconds.
    engine = sa.create_engine(f"sqlite:///{path}", connect_args={"timeout": 30})
    sa.event.listen(engine, "handle_error", refuse_to_go_on)
    # One process at a time looks and migrates: SQLite does not wait when it changes to WAL, it fails.
    with path.with_suffix(".lock").open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if form_of(engine) != HEAD:
            migrate(engine)
    return engine


def refuse_to_go_on(context: sa.ExceptionContext) -> None:
    """Raise EvergreenError where SQLite cannot write: what it says of a full disk becomes an answer."""
    words = str(context.original_exception)
    if any(cause in words for cause in CANNOT_WRITE):
        place = context.engine.url.database if context.engine else "the ledger"
        raise EvergreenError(
            f"{place}: the ledger cannot be read or written: {words}.",
            "Make room or mend the permissions, then start again: what was begun is finished then, once.",
        ) from context.original_exception


def form_of(engine: sa.Engine) -> str | None:
    """The last migration that the database has had, None where it is new."""
    with engine.connect() as connection:
        if not sa.inspect(connection).has_table("alembic_version"):
            return None
        found: str | None = connection.scalar(sa.text("SELECT version_num FROM alembic_version"))
        return found


def migrate(engine: sa.Engine) -> None:
    """Run the migrations that the database has not had."""
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    with engine.connect() as connection:
        connection.execute(sa.text("PRAGMA journal_mode=WAL"))
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
        connection.commit()


@dataclass(frozen=True)
class Database:
    """An engine; every write is one transaction and may be repeated."""

    engine: sa.Engine

    @contextmanager
    def writing(self) -> Iterator[sa.Connection]:
        """One transaction that nobody else writes in, from its first read on: what it reads stays true."""
        with self.engine.begin() as connection:
            connection.exec_driver_sql("BEGIN IMMEDIATE")
            yield connection

    def _rows(self, query: sa.Select[Any]) -> list[sa.Row[Any]]:
        with self.engine.connect() as connection:
            return list(connection.execute(query))

    def _row(self, query: sa.Select[Any]) -> sa.Row[Any] | None:
        return next(iter(self._rows(query)), None)

    def _upsert(self, table: sa.Table, values: dict[str, Any], keys: list[str]) -> None:
        changed = {k: v for k, v in values.items() if k not in keys}
        statement = (
            sqlite_insert(table).values(values).on_conflict_do_update(index_elements=keys, set_=changed)
        )
        with self.engine.begin() as connection:
            connection.execute(statement)
