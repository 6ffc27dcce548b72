"""What Great Expectations cannot ask of DuckDB is asked of pandas, on the column that the check names.

A rule about single values (a regular expression, JSON, a date's form) is judged on the distinct values, some
at a time, and DuckDB finds the rows that hold the bad ones: memory does not grow with the rows. A rule about
types looks at a few rows. Regular expressions are here although SQL has them: they are to be Python's, and
DuckDB's differ (no look-around, `~` matches whole values).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from pipelines.config import Check
from pipelines.validation.decide import Finding
from pipelines.validation.rows import Broken, batch_table, words_of
from pipelines.validation.staged import Staged
from pipelines.validation.words import columns_of, describe_rule, one_line, shorten

if TYPE_CHECKING:
    import pandas as pd

VALUES_AT_ONCE = 200_000
OF_VALUES = {
    "expect_column_values_to_be_dateutil_parseable",
    "expect_column_values_to_be_json_parseable",
    "expect_column_values_to_match_json_schema",
    "expect_column_values_to_match_regex",
    "expect_column_values_to_match_regex_list",
    "expect_column_values_to_match_strftime_format",
    "expect_column_values_to_not_match_regex",
    "expect_column_values_to_not_match_regex_list",
}
# The types are pandas' own names, and the definition gave the column one type: a few rows tell.
OF_TYPES = {
    "expect_column_type_to_be",
    "expect_column_values_to_be_in_type_list",
    "expect_column_values_to_be_of_type",
}
ROWS_FOR_TYPE = 1000
ON_PANDAS = OF_VALUES | OF_TYPES


def measure_on_pandas(staged: Staged, check: Check, expectation: Any) -> Broken:
    """The finding of a check that GX computes on pandas."""
    judge = judge_type if check.expectation in OF_TYPES else judge_values
    try:
        return judge(staged, check, expectation)
    except Exception as error:  # noqa: BLE001 - GX raises anything; the check is broken, not the data
        return Broken(finding_of(check, passed=False, error=shorten(one_line(error))))


def finding_of(check: Check, *, passed: bool, **found: Any) -> Finding:
    columns = ", ".join(columns_of(check.arguments)) or None
    return Finding(check.expectation, columns, check.on_failure, describe_rule(check), passed, **found)


def judge_values(staged: Staged, check: Check, expectation: Any) -> Broken:
    """A rule that looks at one value at a time, by the distinct values of the rows that it is about."""
    import sqlalchemy as sa

    name = str(check.arguments["column"])
    rows = rows_about(staged, expectation)
    of_any_row = without_condition(expectation)
    bad = staged.create_table(f"value {staged.columns[name]}")
    for values in distinct_values(staged, rows, name):
        failing = values.iloc[ask_pandas(of_any_row, values).result["unexpected_index_list"]]
        append(staged, bad, failing.rename(columns={name: "value"}))
    condition = sa.column(name).in_(sa.select(sa.column("value")).select_from(sa.table(bad)))
    counts = sa.select(sa.func.count(sa.column(name)), sa.func.count().filter(condition))
    present, unexpected = staged.fetch(counts.select_from(rows))[0]
    passed = not unexpected or 1 - unexpected / present >= expectation.mostly
    finding = finding_of(check, passed=passed, unexpected=int(unexpected))
    return Broken(finding, rows, condition, words_of(staged, [name]))


def rows_about(staged: Staged, expectation: Any) -> Any:
    """The rows that an expectation is about: all, or those of its `row_condition`."""
    from pipelines.validation.engine import DuckDBExecutionEngine

    if expectation.row_condition is None:
        return batch_table()
    chosen = {"row_condition": expectation.row_condition}
    return DuckDBExecutionEngine(staged).get_domain_records(chosen).subquery()


def without_condition(expectation: Any) -> Any:
    given = [key for key in ("row_condition", "condition_parser") if hasattr(expectation, key)]
    return expectation.copy(update=dict.fromkeys(given))


def distinct_values(staged: Staged, rows: Any, name: str) -> Iterator[pd.DataFrame]:
    """The values of a column, each once, in frames of a bounded size."""
    import sqlalchemy as sa

    column: Any = sa.column(name)
    query = sa.select(column).distinct().select_from(rows).where(column.is_not(None))
    sql = query.compile(staged.engine, compile_kwargs={"literal_binds": True}).string
    with staged.connection.cursor() as cursor:
        cursor.execute(sql)
        for chunk in cursor.to_arrow_reader(VALUES_AT_ONCE):
            yield chunk.to_pandas()


def judge_type(staged: Staged, check: Check, expectation: Any) -> Broken:
    """A rule about the type of a column, which is the same in all rows."""
    name = str(check.arguments["column"])
    with staged.connection.cursor() as cursor:
        cursor.execute(f"SELECT {quote(name)} FROM batch LIMIT {ROWS_FOR_TYPE}")  # noqa: S608
        frame = cursor.to_arrow_table().to_pandas()
    success = ask_pandas(without_condition(expectation), frame).success
    return Broken(finding_of(check, passed=bool(success), observed=str(frame[name].dtype)))


def ask_pandas(expectation: Any, frame: pd.DataFrame) -> Any:
    """GX's result for one expectation on a frame, with the positions (from 0) of all failing rows."""
    from great_expectations.execution_engine import PandasExecutionEngine
    from great_expectations.validator.validation_graph import ValidationGraph

    frame = frame.reset_index(drop=True)
    engine = PandasExecutionEngine(batch_data_dict={"batch": frame})
    runtime = {"result_format": {"result_format": "COMPLETE"}, "catch_exceptions": False}
    graph = ValidationGraph(engine)
    needed = expectation.get_validation_dependencies(engine, runtime)
    for metric in needed.get_metric_configurations():
        graph.build_metric_dependency_graph(metric, runtime)
    metrics, _ = graph.resolve(runtime, show_progress_bars=False)
    return expectation.metrics_validate(
        metrics=metrics, runtime_configuration=runtime, execution_engine=engine
    )


def append(staged: Staged, table: str, rows: pd.DataFrame) -> None:
    """Add rows to a table of ours."""
    if len(rows):
        staged.connection.register("added", rows)
        staged.connection.execute(f"INSERT INTO {table} SELECT * FROM added")  # noqa: S608
        staged.connection.unregister("added")


def quote(name: str) -> str:
    """A column's name in SQL."""
    return '"' + name.replace('"', '""') + '"'
