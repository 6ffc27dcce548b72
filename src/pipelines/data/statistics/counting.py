"""Count the columns of Parquet files in bins, whatever their number of rows.

A sample chooses the bins and the frequent values; one scan of DuckDB counts all rows in them, so that memory
does not grow with the rows.
"""

from __future__ import annotations

import glob
import math
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from pipelines.config import ColumnType
from pipelines.errors import DataError
from pipelines.records import Record

if TYPE_CHECKING:
    import duckdb

SAMPLED = 200_000  # rows that choose the bins
SAMPLED_CELLS = 5_000_000  # fewer rows of a wide table: texts of SHORT characters are then half a gigabyte
EXACT_CELLS = 1_000_000  # of so small a table different values are counted exactly
DISCRETE = 20  # so many different numbers are bins of their own
FREQUENT = 50  # values of a category that are counted one by one
SHORT = 60  # characters of a text that are looked at
LARGE = 1e100  # beyond it squares overflow: such numbers are counted, and left out of mean and correlation
FEW = 500  # different values of a sample that are counted in one scan with those of other columns
TOGETHER = 25  # columns of one scan: it holds a row group of them in memory
MOST_TOGETHER = 250  # of a wide table: each scan looks at what all its columns are, and more gain nothing
CELLS_TOGETHER = 1_000_000  # of such a scan
WIDE = 200  # columns of a table whose scans are too short for two threads
MEMORY = "1300MB"
TENTHS = ", ".join(f"0.{i}" for i in range(1, 10))


class ColumnStatistics(Record):
    """One column; times are seconds since 1970.

    `distinct` is exact of few values and of small tables, else an estimate that may be a third off.
    Numbers and times: `counts[i]` values in (edges[i], edges[i + 1]], the first bin with its lower edge. Few
    numbers, categories and texts: `counts[i]` values equal `values[i]`. `other`: values in none of these.
    """

    type: ColumnType
    missing: int = 0
    distinct: int = 0
    mean: float | None = None
    std: float | None = None
    least: float | None = None
    most: float | None = None
    correlation: float | None = None  # with the target, of numbers
    edges: list[float] = []
    values: list[str | float] = []
    counts: list[int] = []
    other: int = 0

    @property
    def rows(self) -> int:
        return self.missing + sum(self.counts) + self.other


class Bins(Record):
    """Where a column's values are counted: between `cuts` (None below and above all), or one by one."""

    cuts: list[float] = []
    values: list[str | float] = []


@contextmanager
def opened(files: list[str], columns: dict[str, ColumnType]) -> Iterator[duckdb.DuckDBPyConnection]:
    """DuckDB with a view `source` of the files: numbers and times as doubles, categories and texts short."""
    import duckdb

    escaped = [glob.escape(file) for file in files]
    read = f"read_parquet({escaped!r}, union_by_name=true, hive_partitioning=false, file_row_number=true)"
    with TemporaryDirectory(prefix="evergreen-") as spill, duckdb.connect(":memory:") as connection:
        connection.execute(f"SET memory_limit = '{MEMORY}'; SET preserve_insertion_order = false")
        connection.execute("SET temp_directory = ?", [spill])
        try:
            there = [row[0] for row in connection.execute(f"DESCRIBE SELECT * FROM {read}").fetchall()]  # noqa: S608
            parts = [f"{plain(name, kind, there)} AS {label(name)}" for name, kind in columns.items()]
            connection.execute(
                f"CREATE VIEW source AS SELECT {', '.join(parts)}, file_row_number AS _place FROM {read}"  # noqa: S608
            )
            yield connection
        except duckdb.Error as error:
            reason = str(error).splitlines()[0].rstrip(".")
            hint = "Restore the files; a snapshot older than data.retention may have been vacuumed."
            if isinstance(error, duckdb.OutOfMemoryException):
                hint = "Leave columns of long texts out of the definition, or write files of fewer rows."
            raise DataError(f"The rows cannot be counted: {reason}.", hint) from error


def plain(name: str, kind: ColumnType, there: list[str]) -> str:
    """A stored column in SQL; null where no file has it. Where there is an `A`, DuckDB calls `a` `a_1`."""
    if name not in there:
        alike = [other for other in there if other.lower() == name.lower()]
        name = f"{name}_1" if alike else name
        if name not in there:
            return "NULL::DOUBLE" if kind in {"number", "time"} else "NULL::VARCHAR"
    if kind == "number":
        return f"CASE WHEN isfinite({quoted(name)}::DOUBLE) THEN {quoted(name)}::DOUBLE END"
    return f"epoch({quoted(name)})" if kind == "time" else f"left({quoted(name)}::VARCHAR, {SHORT})"


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def label(name: str) -> str:
    """The column's name in `source`: DuckDB holds `a` and `A` for one name."""
    return f"c{name.encode(errors='surrogatepass').hex()}"


def count_rows(connection: duckdb.DuckDBPyConnection) -> int:
    return int(connection.execute("SELECT count(*) FROM source").fetchall()[0][0])


def choose_bins(
    connection: duckdb.DuckDBPyConnection, columns: dict[str, ColumnType], rows: int
) -> dict[str, Bins]:
    """Deciles, or the values themselves where they are few or no numbers, of an even sample of the rows."""
    whole = draw_sample(connection, rows, len(columns))
    drawn = min(rows, sample_size(len(columns)))
    numbers = [name for name, kind in columns.items() if kind in {"number", "time"}]
    ask = partial(ask_columns, connection, table="sample", rows=drawn)
    counts = ask(columns, lambda c: f"count({c}), approx_count_distinct({c})")
    spread = ask(numbers, lambda c: f"max({c}), quantile_disc({c}, [{TENTHS}])")
    discrete = [name for name in numbers if columns[name] == "number" and is_discrete(*counts[name])]
    wanted = [*discrete, *(name for name in columns if name not in spread)]
    values = frequent_values(connection, wanted, counts, drawn)
    bins = {name: Bins(cuts=cuts_of(*spread[name])) for name in numbers}
    bins |= {
        name: Bins(values=[v for v, n in values[name] if n > 1][:FREQUENT])
        for name in columns
        if name not in bins
    }
    few = {name: sorted(v for v, _ in values[name]) for name in discrete if len(values[name]) <= DISCRETE}
    if not whole:  # its memory is wanted for the scan
        connection.execute("DROP TABLE sample")
    return bins | {name: Bins(values=found) for name, found in few.items()}


def is_discrete(count: int, distinct: int) -> bool:
    """Whether numbers may be few and come back; `distinct` is an estimate."""
    return bool(distinct <= min(2 * DISCRETE, count // 5))


def cuts_of(most: float | None, deciles: list[float] | None) -> list[float]:
    return sorted({cut for cut in deciles or [] if most is not None and cut < most})


def sample_size(columns: int) -> int:
    """So many rows are a sample, at most."""
    return max(1, min(SAMPLED, SAMPLED_CELLS // max(1, columns)))


def draw_sample(connection: duckdb.DuckDBPyConnection, rows: int, columns: int) -> bool:
    """Make the table `sample`; whether it is all there is: then `source` reads from it, too."""
    every = max(1, math.ceil(rows / sample_size(columns)))
    where = f"WHERE hash(_place) % {every} = 0" if every > 1 else ""
    connection.execute("SET threads = 1")  # each would hold a row group of all columns
    connection.execute(f"CREATE TEMP TABLE sample AS SELECT * EXCLUDE (_place) FROM source {where}")  # noqa: S608
    if every == 1:
        connection.execute("CREATE OR REPLACE VIEW source AS SELECT * FROM sample")
    if every > 1 or columns <= WIDE:  # of many small scans, threads would only wait for each other
        connection.execute("RESET threads")
    return every == 1


def frequent_values(
    connection: duckdb.DuckDBPyConnection, names: list[str], counts: dict[str, tuple[Any, ...]], rows: int
) -> dict[str, list[tuple[Any, int]]]:
    """The sample's values with their counts, the most frequent first; of many, `FREQUENT` of them."""
    few = [name for name in names if counts[name][1] <= FEW]
    tallies = ask_columns(connection, few, lambda c: f"histogram({c})", "sample", rows)
    found = {name: list(dict(tally or {}).items()) for name, (tally,) in tallies.items()}
    for name in names:
        if name not in found:
            c = label(name)
            sql = (
                f"SELECT {c}, count(*) FROM sample WHERE {c} IS NOT NULL GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT"  # noqa: S608
            )
            found[name] = connection.execute(f"{sql} {FREQUENT + 1}").fetchall()
    return {
        name: sorted(((v, n) for v, n in pairs if v != ""), key=lambda pair: (-pair[1], pair[0]))
        for name, pairs in found.items()
    }


def ask_columns(
    connection: duckdb.DuckDBPyConnection,
    names: Iterable[str],
    ask: Callable[[str], str],
    table: str = "source",
    rows: int = SAMPLED,
) -> dict[str, tuple[Any, ...]]:
    """The answers to the same aggregates of each column, some columns of a table of `rows` in a scan."""
    names = list(names)
    found: dict[str, tuple[Any, ...]] = {}
    step = columns_together(len(names), rows)
    for start in range(0, len(names), step):
        part = names[start : start + step]
        parts = [f"row({ask(label(name))})" for name in part]
        answer = connection.execute(f"SELECT {', '.join(parts)} FROM {table}").fetchall()[0]  # noqa: S608
        found |= dict(zip(part, answer, strict=True))
    return found


def columns_together(columns: int, rows: int) -> int:
    """How many columns one scan looks at: `TOGETHER`, more where there are many of few rows."""
    if columns <= WIDE:
        return TOGETHER
    return max(TOGETHER, min(MOST_TOGETHER, CELLS_TOGETHER // max(rows, 1)))


def outcome(columns: dict[str, ColumnType], target: str, positive: str | None) -> str | None:
    """The target as a number, in SQL: itself, 0 or 1 of two classes, None of more."""
    if columns.get(target) == "number":
        return sane(label(target))
    if positive is None:
        return None
    return f"CASE WHEN {label(target)} IS NOT NULL THEN ({label(target)} = {literal(positive)})::DOUBLE END"


def sane(expression: str) -> str:
    return f"CASE WHEN abs({expression}) <= {LARGE!r} THEN {expression} END"


def literal(value: str | float) -> str:
    """A value in SQL; a number as text, for DuckDB takes 0.1 for a decimal and rounds it on the way."""
    return "'" + value.replace("'", "''") + "'" if isinstance(value, str) else f"'{value!r}'::DOUBLE"


def count_columns(
    connection: duckdb.DuckDBPyConnection,
    columns: dict[str, ColumnType],
    bins: dict[str, Bins],
    outcome: str | None,
) -> dict[str, ColumnStatistics]:
    """Every column of `source`, counted in its bins, in one scan."""
    rows = count_rows(connection)
    kinds = {label(name): (kind, bins[name]) for name, kind in columns.items()}

    exact = rows * len(columns) <= EXACT_CELLS
    different = "count(DISTINCT {})" if exact else "approx_count_distinct({})"

    def ask(column: str) -> str:
        kind, chosen = kinds[column]
        marks = chosen.values or chosen.cuts
        counts = f"histogram{'_exact' if chosen.values else ''}({column}, [{', '.join(map(literal, marks))}])"
        numeric = f"avg({sane(column)}), stddev_pop({sane(column)})" if kind == "number" else "NULL, NULL"
        ends = f"min({column}), max({column})" if kind in {"number", "time"} else "NULL, NULL"
        relation = f"corr({sane(column)}, {outcome})" if kind == "number" and outcome else "NULL"
        tally = counts if marks else "NULL"
        return f"count({column}), {different.format(column)}, {numeric}, {ends}, {relation}, {tally}"

    found = ask_columns(connection, columns, ask, rows=rows)
    return {name: column_of(columns[name], rows, bins[name], found[name]) for name in columns}


def column_of(kind: ColumnType, rows: int, bins: Bins, answer: tuple[Any, ...]) -> ColumnStatistics:
    count, distinct, mean, std, least, most, correlation, tally = answer
    marks = bins.values or bins.cuts
    tally = dict(tally or {})
    counts = [int(tally.get(mark, 0)) for mark in marks]
    other = int(count) - sum(counts)
    edges: list[float] = []
    if least is not None and not bins.values:
        edges, counts, other = [least, *bins.cuts, most], [*counts, other], 0
    return ColumnStatistics(
        type=kind,
        missing=rows - int(count),
        distinct=sum(map(bool, counts)) if bins.values and not other else min(int(distinct), int(count)),
        mean=finite(mean),
        std=finite(std),
        least=finite(least),
        most=finite(most),
        correlation=finite(correlation),
        edges=edges,
        values=bins.values,
        counts=counts,
        other=other,
    )


def finite(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else float(value)
