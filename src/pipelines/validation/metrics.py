"""Metrics that Great Expectations has not for DuckDB, or has at a price; registered with it when imported.

GX looks a metric up by the engine's class name, so other engines do not see these.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from great_expectations.expectations.metrics.column_aggregate_metric_provider import (
    ColumnAggregateMetricProvider,
)
from great_expectations.expectations.metrics.column_aggregate_metrics.column_outlier_statistics import (
    OutlierStatistics,
)
from great_expectations.expectations.metrics.map_metric_provider import (
    ColumnMapMetricProvider,
    MulticolumnMapMetricProvider,
    column_condition_partial,
    multicolumn_condition_partial,
)
from great_expectations.expectations.metrics.metric_provider import metric_value
from great_expectations.expectations.metrics.table_metric_provider import TableMetricProvider

from pipelines.validation.engine import DuckDBExecutionEngine
from pipelines.validation.staged import SEQ


class ColumnTypes(TableMetricProvider):  # type: ignore[misc]
    """The user's columns, without what the parts hold beside them; nothing is reflected check by check."""

    metric_name = "table.column_types"
    value_keys = ("include_nested",)
    default_kwarg_values = {"include_nested": True}

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


class ColumnValuesIncreasing(ColumnMapMetricProvider):  # type: ignore[misc]
    """Which GX has for frames alone. The order is that of intake."""

    condition_metric_name = "column_values.increasing"
    condition_value_keys = ("strictly",)

    @column_condition_partial(engine=DuckDBExecutionEngine)  # type: ignore[untyped-decorator]
    def _duckdb(cls, column: Any, _table: Any, strictly: bool = False, **_: Any) -> Any:  # noqa: N805
        wrong = column.__le__ if strictly else column.__lt__
        return sa.column(SEQ).not_in(after(column, _table, wrong))


class ColumnValuesDecreasing(ColumnMapMetricProvider):  # type: ignore[misc]
    """As above, the other way."""

    condition_metric_name = "column_values.decreasing"
    condition_value_keys = ("strictly",)

    @column_condition_partial(engine=DuckDBExecutionEngine)  # type: ignore[untyped-decorator]
    def _duckdb(cls, column: Any, _table: Any, strictly: bool = False, **_: Any) -> Any:  # noqa: N805
        wrong = column.__ge__ if strictly else column.__gt__
        return sa.column(SEQ).not_in(after(column, _table, wrong))


class ColumnOutlierStatistics(ColumnAggregateMetricProvider):  # type: ignore[misc]
    """As GX's, which has quartiles for a list of dialects."""

    metric_name = "column.outlier_statistics"
    value_keys = ("method",)

    @metric_value(engine=DuckDBExecutionEngine)  # type: ignore[untyped-decorator]
    def _duckdb(
        cls,  # noqa: N805
        execution_engine: DuckDBExecutionEngine,
        metric_domain_kwargs: dict[str, Any],
        metric_value_kwargs: dict[str, Any],
        **_: Any,
    ) -> OutlierStatistics:
        column: Any = sa.column(metric_domain_kwargs["column"])
        table = source(execution_engine.get_domain_records(metric_domain_kwargs))
        if metric_value_kwargs["method"] == "std":
            query = sa.select(sa.func.avg(column), sa.func.stddev_samp(column)).select_from(table)
            return OutlierStatistics.symmetric(*execution_engine.execute_query(query).one())
        quartiles = [sa.func.quantile_cont(column, share) for share in (0.25, 0.75)]
        low, high = execution_engine.execute_query(sa.select(*quartiles).select_from(table)).one()
        return OutlierStatistics(low, high, None if low is None else high - low)


# GX has a list of metrics, by name, whose SQL brings its own FROM. Ours is registered by now and brings none.
CompoundColumnsUnique.condition_metric_name = "compound_columns.unique by grouping"


def repeated(columns: Sequence[Any], table: Any) -> Any:
    """The values, or rows of values, that occur more than once."""
    value = columns[0] if len(columns) == 1 else sa.func.row(*columns)
    there = sa.and_(*(column.is_not(None) for column in columns))
    return (
        sa.select(value)
        .select_from(source(table))
        .where(there)
        .group_by(*columns)
        .having(sa.func.count() > 1)
    )


def after(column: Any, table: Any, wrong: Any) -> Any:
    """The `_seq` of rows whose value is `wrong` after the one before it, missing ones passed over."""
    before = sa.func.lag(column).over(order_by=sa.column(SEQ)).label("before")
    rows = sa.select(sa.column(SEQ), column, before).select_from(source(table)).where(column.is_not(None))
    return sa.select(sa.column(SEQ)).select_from(rows.subquery()).where(wrong(sa.column("before")))


def source(table: Any) -> Any:
    """What a query may read from: the batch, or those of its rows that a check is about."""
    return table.subquery() if isinstance(table, sa.Select) else table
