"""Great Expectations over DuckDB: an execution engine of its kind, and metrics of our own.

Imported where it is used: GX takes seconds.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa
from great_expectations.execution_engine import SqlAlchemyExecutionEngine
from great_expectations.execution_engine.sqlalchemy_batch_data import SqlAlchemyBatchData
from great_expectations.expectations.metrics.map_metric_provider import (
    ColumnMapMetricProvider,
    MulticolumnMapMetricProvider,
    column_condition_partial,
    multicolumn_condition_partial,
)
from great_expectations.expectations.metrics.metric_provider import metric_value
from great_expectations.expectations.metrics.query_metrics import UnexpectedRowsQueryTable
from great_expectations.expectations.metrics.table_metric_provider import TableMetricProvider
from sqlalchemy.dialects import postgresql

from pipelines.validation.staged import SEQ, Staged

MISSING_FAILS = {
    "column_pair_values.a_greater_than_b.condition",
    "column_pair_values.in_set.condition",
    "multicolumn_sum.equal.condition",
}


class DuckDBExecutionEngine(SqlAlchemyExecutionEngine):  # type: ignore[misc]
    """GX's SQL engine on a connection that stays open.

    For dialects that are not in a private list of GX, `execute_query` closes the connection before the answer
    is read, and DuckDB's answer goes with it. GX looks metrics up by the engine's class name, then by its
    bases', so the metrics below are for this engine alone.
    """

    def __init__(self, staged: Staged) -> None:
        super().__init__(engine=staged.engine)
        self._connection: sa.Connection | None = None
        self.columns = staged.columns
        self.dialect_module = postgresql  # whose words DuckDB speaks; without one GX knows no LIKE
        self.load_batch_data("batch", SqlAlchemyBatchData(self, table_name="batch"))

    @contextmanager
    def get_connection(self) -> Iterator[sa.Connection]:
        if self._connection is None:
            self._connection = self.engine.connect()
        yield self._connection

    def resolve_metrics(self, *arguments: Any, **named: Any) -> dict[Any, Any]:
        """GX's own, but a comparison with a missing value fails in SQL, too, as it does on pandas.

        `ignore_row_if` says which rows with missing values are not looked at.
        """
        resolved = super().resolve_metrics(*arguments, **named)
        for key, value in resolved.items():
            if key[0] in MISSING_FAILS:
                resolved[key] = (sa.func.coalesce(value[0], sa.true()), *value[1:])
        return resolved  # type: ignore[no-any-return]

    def close(self) -> None:
        """The connection is lent: whoever opened it closes it."""


class ColumnTypes(TableMetricProvider):  # type: ignore[misc]
    """The user's columns, without what the parts hold beside them; nothing is reflected check by check."""

    metric_name = "table.column_types"
    value_keys = ("include_nested",)
    default_kwarg_values = {"include_nested": True}  # noqa: RUF012 - GX's own form

    @metric_value(engine=DuckDBExecutionEngine)  # type: ignore[untyped-decorator]
    def _duckdb(cls, execution_engine: DuckDBExecutionEngine, **_: Any) -> list[dict[str, Any]]:  # noqa: N805
        return [{"name": name, "type": kind} for name, kind in execution_engine.columns.items()]


class ColumnValuesUnique(ColumnMapMetricProvider):  # type: ignore[misc]
    """As GX's, by a grouping in place of a window: it takes less memory, and is a condition on a row."""

    condition_metric_name = "column_values.unique"

    @column_condition_partial(engine=DuckDBExecutionEngine)  # type: ignore[untyped-decorator]
    def _duckdb(cls, column: Any, _table: Any, **_: Any) -> Any:  # noqa: N805
        return column.not_in(repeated([column], _table))


class CompoundColumnsUnique(MulticolumnMapMetricProvider):  # type: ignore[misc]
    """As GX's, by a grouping in place of a join; as there, a key with a missing part equals no other."""

    condition_metric_name = "compound_columns.unique"
    condition_domain_keys = (
        "batch_id",
        "table",
        "column_list",
        "row_condition",
        "condition_parser",
        "ignore_row_if",
    )

    @multicolumn_condition_partial(engine=DuckDBExecutionEngine)  # type: ignore[untyped-decorator]
    def _duckdb(cls, column_list: Sequence[Any], _table: Any, **_: Any) -> Any:  # noqa: N805
        return ~sa.func.row(*column_list).in_(repeated(column_list, _table))


# GX has a list of metrics, by name, whose SQL brings its own FROM. Ours is registered by now and brings none.
CompoundColumnsUnique.condition_metric_name = "compound_columns.unique by grouping"


def repeated(columns: Sequence[Any], table: Any) -> Any:
    """The values, or rows of values, that occur more than once."""
    source = table.subquery() if isinstance(table, sa.Select) else table
    value = columns[0] if len(columns) == 1 else sa.func.row(*columns)
    there = sa.and_(*(column.is_not(None) for column in columns))
    return sa.select(value).select_from(source).where(there).group_by(*columns).having(sa.func.count() > 1)


def selecting_query(expectation: Any, engine: DuckDBExecutionEngine) -> Any | None:
    """The rows that an `unexpected_rows_expectation` selects; None for other kinds and where its answer is no
    rows of the batch, such as sums.
    """
    query = getattr(expectation, "unexpected_rows_query", None)
    if query is None:
        return None
    table = engine.get_domain_records({"row_condition": getattr(expectation, "row_condition", None)})
    sql = UnexpectedRowsQueryTable._get_substituted_batch_subquery_from_query_and_batch_selectable(
        query, table.subquery() if isinstance(table, sa.Select) else table, engine
    )
    with engine.get_connection() as connection:
        names = list(connection.execute(sa.text(f"DESCRIBE {sql}")).scalars())
    if SEQ not in names:
        return None
    return sa.text(sql).columns(*(sa.column(name) for name in names)).subquery()
