"""Databases as sources, by SQLAlchemy: a table or a query, all of it or from a watermark on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from pipelines.config import Data, Format
from pipelines.data.columns import EXACT
from pipelines.data.sources.reading import Reading, check_names, missing_marks, tidy_text
from pipelines.data.sources.source import Source, plain_reason
from pipelines.errors import ConfigError, DataError, EvergreenError
from pipelines.hiding import shown_value
from pipelines.markdown import make_visible

if TYPE_CHECKING:
    import pyarrow as pa

CELLS_AT_ONCE = 500_000


def sql_source(address: str, data: Data) -> Source:
    """The table or query of a definition in the database at `address`: read each time, from the watermark.

    Raises ConfigError where neither table nor query is given, or the address is none.
    """
    from sqlalchemy import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        shown = shown_address(make_url(address))
    except (ArgumentError, ValueError) as error:
        raise ConfigError(
            "data.source is not a database address that SQLAlchemy can read.",
            "Write dialect+driver://user:${PASSWORD}@host:port/database.",
        ) from error
    if not (data.table or data.query):
        raise ConfigError(
            f"data.source is the database {make_visible(shown)}, and nothing says what to read of it.",
            "Add data.table, or data.query.",
        )
    watermark = data.watermark.column if data.watermark else None
    return Source(shown, "", None, "sql", address, data.table, data.query, watermark)


def shown_address(url: Any) -> str:
    """The address without its password, and without the values of parameters but harmless ones."""
    pairs = [(k, v) for k, said in url.query.items() for v in ([said] if isinstance(said, str) else said)]
    start = str(url.set(query={}).render_as_string(hide_password=True))
    query = "&".join(f"{name}={shown_value(name, value)}" for name, value in pairs)
    return f"{start}?{query}" if query else start


class SqlReading(Reading):
    """Rows of a database, fetched a part at a time; values keep the types that the driver gives."""

    def __init__(
        self,
        source: Source,
        fmt: Format,
        after: object | None,
        see: Callable[[list[Any]], None] | None = None,
    ) -> None:
        super().__init__(source, fmt)
        self.see = see
        self.connection = connect(source)
        try:
            self.result = self.run(after)
            self.names = [str(name).strip() for name in tuple(self.result.keys())]
            check_names(self.names, source)
        except BaseException:
            self.close()
            raise
        self.marks = missing_marks(fmt)
        self.found = {"format": f"SQL, {self.connection.dialect.name}"}

    def run(self, after: object | None) -> Any:
        """The result of the statement; its rows stay with the database until they are fetched."""
        dialect = self.connection.dialect.name
        try:
            if dialect == "postgresql":
                from sqlalchemy import text

                self.connection.execute(text("SET TIME ZONE 'UTC'"))
            streamed = self.connection.execution_options(stream_results=True)
            return streamed.execute(statement(self.source, bindable(after, dialect), dialect))
        except Exception as error:  # SQLAlchemy's errors and those of drivers that it does not wrap
            raise failed(self.source, error) from error

    def close(self) -> None:
        self.connection.close()
        self.connection.engine.dispose()

    def chunks(self, numbers: frozenset[str]) -> Iterator[pa.Table]:
        import pyarrow as pa

        size = max(1, min(100_000, CELLS_AT_ONCE // len(self.names)))
        some = False
        for rows in self.fetch(size):
            some = True
            if self.see is not None:
                self.see([row[self.growing()] for row in rows])
            columns = [
                self.column(name, list(values), name in numbers)
                for name, values in zip(self.names, zip(*rows, strict=True), strict=True)
            ]
            yield pa.table(columns, names=self.names)
        if not some and self.source.watermark is None:
            raise DataError(f"{self.source.name} has columns and no rows.", "Expected at least one row.")

    def growing(self) -> int:
        """The place of the watermark column; databases may know it by another case."""
        wanted = str(self.source.watermark)
        places = [i for i, name in enumerate(self.names) if name == wanted]
        places += [i for i, name in enumerate(self.names) if name.lower() == wanted.lower()]
        if not places:  # SQLite takes a name that it does not know for a text
            raise ConfigError(
                f"{self.source.name} has no column {make_visible(wanted)!r}, which data.watermark names.",
                "Name one that data.table or data.query has.",
            )
        return places[0]

    def fetch(self, size: int) -> Iterator[Any]:
        try:
            while rows := self.result.fetchmany(size):
                yield rows
        except EvergreenError:
            raise
        except Exception as error:  # a connection lost, a value that the driver cannot read
            raise failed(self.source, error) from error

    def column(self, name: str, values: list[Any], number: bool) -> Any:
        """Values as an Arrow array: of their own type where they share one, else as text."""
        import pyarrow as pa

        refuse_nested(name, values, self.source)
        if any(isinstance(value, Decimal) for value in values):
            values = as_floats(values) if number else texts(values)
        try:
            array = pa.array(values)
        except (pa.ArrowException, OverflowError):
            array = pa.array(texts(values), pa.string())
        if pa.types.is_null(array.type):
            array = array.cast(pa.string())
        return tidy_text(array, self.marks) if pa.types.is_string(array.type) else array


def connect(source: Source) -> Any:
    """A connection. Raises DataError for a server that refuses, ConfigError for a driver that is absent."""
    import sqlalchemy
    from sqlalchemy.exc import NoSuchModuleError

    url = sqlalchemy.make_url(source.address)
    waits = {"connect_timeout": 10} if url.get_backend_name() == "postgresql" else {}
    if url.get_backend_name() in ("sqlite", "duckdb"):
        check_database_file(source, url.database)
    try:
        engine = sqlalchemy.create_engine(url, connect_args=waits, poolclass=sqlalchemy.NullPool)
        return engine.connect()
    except (ImportError, NoSuchModuleError) as error:
        raise ConfigError(
            f"{source.name}: {plain_reason(error, source)}.", "Install the driver that this address names."
        ) from error
    except Exception as error:  # SQLAlchemy's errors and those of drivers that it does not wrap
        raise failed(source, error) from error


def check_database_file(source: Source, database: str | None) -> None:
    """A file that is not there would be made anew, empty."""
    from pathlib import Path

    if (
        database
        and database != ":memory:"
        and not database.startswith("file:")
        and not Path(database).exists()
    ):
        raise DataError(
            f"{source.name}: there is no such database file.",
            "Check the path: three slashes and a relative one, four and an absolute one.",
        )


def statement(source: Source, after: object | None, dialect: str = "") -> Any:
    """All columns of the table or query, from `after` on where it is given, in the watermark's order.

    Rows without a watermark value are read each time: they would be lost otherwise.
    """
    import sqlalchemy as sa

    if source.query:
        query = source.query.strip().rstrip(";")
        origin: Any = sa.text(f"({query.replace(':', chr(92) + ':')}) AS evergreen_source")
    else:
        schema, _, name = str(source.table).rpartition(".")
        origin = sa.table(name, schema=schema or None)
    chosen = sa.select(sa.text("*")).select_from(origin)
    if source.watermark is None:
        return chosen
    column: Any = sa.column(source.watermark)
    if after is not None:
        # Numbers stand before all texts in SQLite: behind a text, a new number would never be seen.
        others = [sa.func.typeof(column) != "text"] if dialect == "sqlite" and isinstance(after, str) else []
        chosen = chosen.where(sa.or_(column >= after, column.is_(None), *others))
    return chosen.order_by(column)


def bindable(after: object | None, dialect: str) -> object | None:
    """SQLite keeps times as text, as Python writes them."""
    return str(after) if dialect == "sqlite" and hasattr(after, "isoformat") else after


def refuse_nested(name: str, values: list[Any], source: Source) -> None:
    odd = next((v for v in values if isinstance(v, dict | list | tuple | set | bytes | memoryview)), None)
    if odd is not None:
        kind = "bytes" if isinstance(odd, bytes | memoryview) else "nested values"
        raise DataError(
            f"{source.name}: column {make_visible(name)!r} holds {kind}.",
            "Leave it out with data.query, or give each value a column of its own.",
        )


def as_floats(values: list[Any]) -> list[Any]:
    """Decimals as floats; as text where one is no finite number, or a whole one that would be rounded."""
    if all(value is None or (isinstance(value, Decimal) and value.is_finite()) for value in values):
        floats = [None if value is None else float(value) for value in values]
        if all(number is None or abs(number) < EXACT for number in floats):
            return floats
    return texts(values)


def texts(values: list[Any]) -> list[str | None]:
    return [None if value is None else written(value) for value in values]


def written(value: Any) -> str:
    """A value as text; a decimal with all its digits."""
    return f"{value:f}" if isinstance(value, Decimal) and value.is_finite() else str(value)


def failed(source: Source, error: Exception) -> DataError:
    """What the database said, without SQLAlchemy's frame and without the password."""
    origin = getattr(error, "orig", None) or error
    return DataError(
        f"{source.name} cannot be read: {plain_reason(origin, source)}.",
        "Check the address, that the server runs, and data.table or data.query.",
    )
