"""Databases: PostgreSQL for real, SQLite; tables, queries, watermarks, and what they refuse."""

import re
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import sqlalchemy as sa

from pipelines.config import Data, Format
from pipelines.data.sources import Source, find_sources, open_source
from pipelines.errors import ConfigError, DataError

from .conftest import free_port


def source_of(address: str, **said: object) -> Source:
    [source] = find_sources(Data.model_validate({"source": address, "target": "y", **said}), Path())
    return source


def read(source: Source, after: object | None = None, numbers: frozenset[str] = frozenset()) -> pa.Table:
    with open_source(source, Format(), after) as reading:
        return pa.concat_tables(reading.tables(numbers), promote_options="permissive")


@pytest.fixture(scope="session")
def rides(postgres: str) -> str:
    engine = sa.create_engine(postgres)
    with engine.begin() as connection:
        connection.execute(
            sa.text(
                "CREATE TABLE rides AS SELECT i AS id, i / 2.0 AS price, i % 3 = 0 AS member,"
                " timestamp '2024-01-01' + i * interval '1 hour' AS started,"
                " timestamptz '2024-01-01 00:00+02' + i * interval '1 hour' AS ended,"
                " CASE WHEN i % 5 = 0 THEN NULL ELSE ' town ' || i END AS town, i::numeric(12,3) AS exact"
                " FROM generate_series(1, 25000) AS i"
            )
        )
        connection.execute(
            sa.text("CREATE TABLE odd AS SELECT 1 AS id, ARRAY[1, 2] AS many, '{}'::json AS bag")
        )
        connection.execute(sa.text('CREATE SCHEMA other; CREATE TABLE other."Ride s" AS SELECT 1 AS a'))
    engine.dispose()
    return postgres


def test_a_table_of_postgresql(rides: str) -> None:
    source = source_of(rides, table="rides")
    assert (source.kind, source.stamp, "pass" in repr(source)) == ("sql", "", False)
    table = read(source, numbers=frozenset(["price"]))
    assert table.num_rows == 25_000
    assert sorted(table.to_pylist(), key=lambda row: row["id"])[0] == {
        "id": 1,
        "price": 0.5,
        "member": False,
        "started": datetime(2024, 1, 1, 1),
        "ended": pa.scalar(datetime(2023, 12, 31, 23), pa.timestamp("us", "UTC")).as_py(),
        "town": "town 1",
        "exact": "1.000",
    }
    assert read(source_of(rides, table="other.Ride s")).to_pydict() == {"a": [1]}


def test_a_query_from_a_watermark_on(rides: str) -> None:
    query = "SELECT id, started, '12:30'::text AS at FROM rides WHERE id > 24000;"
    source = source_of(rides, query=query, watermark={"column": "started"})
    late = datetime(2024, 1, 1) + 24_990 * (datetime(2024, 1, 1, 1) - datetime(2024, 1, 1))
    assert read(source).column("id").to_pylist() == list(range(24_001, 25_001))
    assert read(source, late).column("id").to_pylist() == list(range(24_990, 25_001))
    by_key = source_of(rides, table="rides", watermark={"column": "id"})
    assert read(by_key, 24_999).column("id").to_pylist() == [24_999, 25_000]
    with open_source(by_key, Format(), 99_999) as reading:
        assert list(reading.tables()) == []


def test_rows_without_a_watermark_are_not_lost(tmp_path: Path) -> None:
    address = f"sqlite:///{tmp_path}/t.db"
    engine = sa.create_engine(address)
    with engine.begin() as connection:
        connection.execute(sa.text("CREATE TABLE t (id INTEGER, at TIMESTAMP)"))
        connection.execute(
            sa.text("INSERT INTO t VALUES (1, '2024-01-01 00:00:00'), (2, NULL), (3, '2024-03-01 00:00:00')")
        )
    source = source_of(address, table="t", watermark={"column": "at"})
    assert sorted(read(source, datetime(2024, 2, 1)).column("id").to_pylist()) == [2, 3]


def test_values_of_many_kinds_in_one_column(tmp_path: Path) -> None:
    address = f"sqlite:///{tmp_path}/t.db"
    with sa.create_engine(address).begin() as connection:
        connection.execute(sa.text("CREATE TABLE t (a, b)"))
        connection.execute(sa.text("INSERT INTO t VALUES (1, NULL), ('two', NULL), (3.5, NULL)"))
    assert read(source_of(address, table="t")).to_pydict() == {"a": ["1", "two", "3.5"], "b": [None] * 3}


def test_what_a_database_refuses(rides: str, tmp_path: Path) -> None:
    closed = f"postgresql+psycopg://keeper:hush@127.0.0.1:{free_port()}/postgres"
    wrong = rides.replace("pass%20word%401", "hush")
    bad = [
        (source_of(rides, table="none"), 'relation "none" does not exist'),
        (source_of(rides, query="SELECT nothing FROM rides"), 'column "nothing" does not exist'),
        (source_of(rides, query="SELECT id, id FROM rides"), "named twice: id"),
        (source_of(rides, query="SELECT 1/(id - 24000) AS x FROM rides"), "division by zero"),
        (source_of(rides, table="odd"), "column 'many' holds nested values"),
        (source_of(rides, query="SELECT * FROM rides WHERE false"), "no rows"),
        (source_of(closed, table="t"), "refused"),
        (source_of(wrong, table="t"), "password authentication failed"),
        (source_of(f"sqlite:///{tmp_path}/none.db", table="t"), "no such database file"),
    ]
    for source, said in bad:
        with pytest.raises(DataError) as caught:
            read(source)
        assert said in caught.value.message
        assert "hush" not in str(caught.value)
        assert "pass" not in caught.value.message.replace("password auth", "")
    with pytest.raises(ConfigError, match=r"nothing says what to read"):
        source_of(rides)
    with pytest.raises(ConfigError, match=r"No module named"):
        read(source_of("mysql+pymysql://me@host/db", table="t"))


def test_an_exact_number_that_is_none(rides: str) -> None:
    query = "SELECT 'NaN'::numeric AS a, 0.1::numeric AS b"
    table = read(source_of(rides, query=query), numbers=frozenset("ab"))
    assert table.to_pydict() == {"a": [None], "b": [0.1]}
    assert read(source_of(rides, query=query)).to_pydict()["b"] == [str(Decimal("0.1"))]


KINDS = {
    "timestamptz": ("'2024-01-01 10:00+02'", "'2024-01-01 08:00:01Z'", "2024-01-01T08:00:00+00:00"),
    "timestamp": ("'2024-01-01 10:00'", "'2024-01-01 10:00:00.5'", "2024-01-01T10:00:00"),
    "date": ("'2024-01-01'", "'2024-01-01'", "2024-01-01"),
    "bigint": ("5000000000", "5000000001", "5000000000"),
    "numeric(30,0)": ("50000000000000000000", "50000000000000000001", "50000000000000000000"),
    "float8": ("1.5", "1.5", "1.5"),
    "text": ("'2024-01-01 10:00'", "'2024-01-01 10:01'", "2024-01-01 10:00"),
}


@pytest.mark.parametrize("kind", KINDS)
def test_marks_of_postgresql(postgres: str, table: Any, kind: str) -> None:
    first, more, mark = KINDS[kind]
    engine = sa.create_engine(postgres)
    name = re.sub(r"\W", "", f"grow_{kind}")
    with engine.begin() as connection:
        connection.execute(sa.text(f"CREATE TABLE {name} (a text, y float8, t {kind})"))
        rows = f"('x', 1, {first}), ('none', 1, NULL)"
        connection.execute(sa.text(f"INSERT INTO {name} VALUES {rows}"))  # noqa: S608
    table.data = {"source": postgres, "table": name, "watermark": {"column": "t"}}
    batch, _ = table.take_in()
    assert (batch.rows, batch.sources[0].watermark.value) == (2, mark)
    with engine.begin() as connection:
        connection.execute(sa.text(f"INSERT INTO {name} VALUES ('new', 2, {more})"))  # noqa: S608
    engine.dispose()
    batch, _ = table.take_in()
    assert (batch.rows, batch.known) == (1, 2)


def test_an_exact_number_keeps_its_digits(rides: str) -> None:
    query = "SELECT 12345678901234567891::numeric AS a, 9007199254740993::bigint AS b"
    table = read(source_of(rides, query=query), numbers=frozenset("ab"))
    assert table.to_pydict() == {"a": ["12345678901234567891"], "b": [9007199254740993]}
