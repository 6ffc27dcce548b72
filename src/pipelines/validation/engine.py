"""Great Expectations over DuckDB: GX's engine for SQL, for this database.

Imported where it is used: GX takes seconds.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import sqlalchemy as sa
from great_expectations.execution_engine import SqlAlchemyExecutionEngine
from great_expectations.execution_engine.sqlalchemy_batch_data import SqlAlchemyBatchData
from great_expectations.expectations.metrics.query_metrics import UnexpectedRowsQueryTable
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
    is read, and DuckDB's answer goes with it.
    """

    def __init__(self, staged: Staged) -> None:
        super().__init__(engine=staged.engine)
        self._connection: sa.Connection | None = None
        self._known: dict[Any, Any] = {}
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

    def resolve_metric_bundle(self, metric_fn_bundle: Iterable[Any]) -> dict[Any, Any]:
        """One query for all. Where one of them breaks it, it is found by halving, and the others are kept.

        GX would ask for each by itself, three times over: hundreds of scans.
        """
        bundle = list(metric_fn_bundle)
        asked = [metric for metric in bundle if metric.metric_configuration.id not in self._known]
        try:
            self._known.update(super().resolve_metric_bundle(asked))
        except Exception:
            for half in (asked[: len(asked) // 2], asked[len(asked) // 2 :]) if len(asked) > 1 else ():
                with suppress(Exception):
                    self.resolve_metric_bundle(half)
            raise
        ids = [metric.metric_configuration.id for metric in bundle]
        return {key: self._known[key] for key in ids}

    def close(self) -> None:
        """The connection is lent: whoever opened it closes it."""


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
