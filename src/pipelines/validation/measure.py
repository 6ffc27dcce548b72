"""Great Expectations measures the declared checks: one query for all, then one for each that fails.

The checks go into one graph of metrics, which GX's engine bundles into a single scan of the parts, and GX
judges each check by the metrics. What a data context would add (copies, rendering, a process-wide current
context) is left out. The condition that GX made for a row rule names its rows, too.
"""

from __future__ import annotations

import logging
import re
from dataclasses import replace
from typing import Any

from great_expectations.exceptions import GreatExpectationsError, MetricProviderError
from great_expectations.expectations.expectation import Expectation
from great_expectations.validator.validation_graph import ValidationGraph

import pipelines.validation.metrics  # noqa: F401 - registers them
from pipelines.config import Check, PipelineConfig
from pipelines.validation.decide import Finding
from pipelines.validation.engine import DuckDBExecutionEngine, selecting_query
from pipelines.validation.expectations import build_expectations
from pipelines.validation.fallback import ON_PANDAS, measure_on_pandas
from pipelines.validation.rows import Broken, with_examples, words_of
from pipelines.validation.staged import Staged
from pipelines.validation.words import columns_of, describe_rule, one_line, shorten, spell_value


def measure_checks(config: PipelineConfig, staged: Staged) -> list[Broken]:
    """The findings of the pipeline's checks, in the order of the definition.

    Raises ConfigError for a check that cannot exist. One that cannot run is a finding with `error`.
    """
    # A metric that cannot be computed is in the result; GX also logs it with a traceback.
    logging.getLogger("great_expectations").setLevel(logging.CRITICAL)
    expectations = build_expectations(config)
    engine = DuckDBExecutionEngine(staged)
    graphs = [graph_of(expectation, engine) for expectation in expectations]
    measured = Measured(engine, [graph for graph in graphs if graph is not None])
    broken = []
    for check, expectation, graph in zip(config.validation.checks, expectations, graphs, strict=True):
        if graph is None:
            broken.append(measure_on_pandas(staged, check, expectation))
        else:
            broken.append(to_broken(staged, check, expectation, measured, graph))
    return [with_examples(staged, rule) for rule in broken]


def graph_of(expectation: Expectation, engine: Any) -> ValidationGraph | None:
    """The metrics that an expectation needs; None where they are computed on pandas."""
    if expectation.expectation_type in ON_PANDAS:
        return None
    graph = ValidationGraph(engine)
    try:
        needed = expectation.get_validation_dependencies(engine, runtime_of(expectation))
        for metric in needed.get_metric_configurations():
            graph.build_metric_dependency_graph(metric, runtime_of(expectation))
    except MetricProviderError:  # the metric does not exist in SQL
        return None
    return graph


def runtime_of(expectation: Expectation) -> dict[str, Any]:
    """What GX is asked for. Of row rules the verdict alone, else it fetches examples, check by check."""
    wanted = "BOOLEAN_ONLY" if map_metric(expectation) else "BASIC"
    return {"result_format": {"result_format": wanted}}


def map_metric(expectation: Expectation) -> str | None:
    """The name of a row rule's metric; None for a rule about the whole batch."""
    return getattr(expectation, "map_metric", None)


class Measured:
    """The metrics of all checks, computed together, and GX's verdicts from them."""

    def __init__(self, engine: Any, graphs: list[ValidationGraph]) -> None:
        edges = {edge.id: edge for graph in graphs for edge in graph.edges}
        whole = ValidationGraph(engine, list(edges.values()))
        self.engine = engine
        self.metrics, self.aborted = whole.resolve({"catch_exceptions": True}, show_progress_bars=False)

    def judge(self, expectation: Expectation, graph: ValidationGraph) -> tuple[Any, str]:
        """GX's result, or why there is none."""
        if failed := self.failures(graph):
            return None, failed
        try:
            runtime = runtime_of(expectation)
            result = expectation.metrics_validate(
                metrics=self.metrics, runtime_configuration=runtime, execution_engine=self.engine
            )
        except (GreatExpectationsError, ArithmeticError, LookupError, TypeError, ValueError) as error:
            return None, one_line(error)
        return result, ""

    def failures(self, graph: ValidationGraph) -> str:
        """Why metrics of a graph could not be computed, without GX's tracebacks; empty where all were."""
        needed = dict.fromkeys(end.id for edge in graph.edges for end in (edge.left, edge.right) if end)
        failed = [self.aborted[key]["exception_info"] for key in needed if key in self.aborted]
        return "; ".join(dict.fromkeys(one_line(info.exception_message) for info in failed))

    def rows(self, expectation: Expectation, graph: ValidationGraph) -> tuple[int, Any, Any]:
        """Of a row rule: how many rows break it, GX's own SQL condition of these, and the rows it is for."""
        metrics = {edge.left.metric_name: edge.left for edge in graph.edges}
        name = map_metric(expectation)
        count = int(self.metrics[metrics[f"{name}.unexpected_count"].id] or 0)
        condition, _, _ = self.metrics[metrics[f"{name}.condition"].id]
        table = self.engine.get_domain_records(metrics[f"{name}.condition"].metric_domain_kwargs)
        return count, condition, table.subquery() if hasattr(table, "subquery") else table


def to_broken(
    staged: Staged, check: Check, expectation: Expectation, measured: Measured, graph: ValidationGraph
) -> Broken:
    """GX's verdict on one check in our words, with the rows that it is about."""
    import sqlalchemy as sa

    result, error = measured.judge(expectation, graph)
    if result is None:
        return Broken(to_finding(check, passed=False, error=shorten(error or "its metrics are missing")))
    if map_metric(expectation):
        count, condition, table = measured.rows(expectation, graph)
        finding = to_finding(check, passed=bool(result.success), unexpected=count)
        return Broken(finding, table, condition, words_of(staged, columns_of(check.arguments)))
    query = selecting_query(expectation, measured.engine)
    if query is not None:
        named = named_in(expectation.unexpected_rows_query, staged)
        finding = replace(
            to_finding(check, passed=bool(result.success), unexpected=int(result.result["observed_value"])),
            column=", ".join(named) or None,
        )
        return Broken(finding, query, sa.true(), words_of(staged, named))
    observed = shorten(spell_value((result.result or {}).get("observed_value")))
    return Broken(to_finding(check, passed=bool(result.success), observed=observed))


def named_in(query: str, staged: Staged) -> list[str]:
    """The columns that a query seems to be about."""
    return [name for name in staged.columns if re.search(rf"(?<!\w){re.escape(name)}(?!\w)", query)]


def to_finding(check: Check, *, passed: bool, **found: Any) -> Finding:
    """A check with what was found."""
    columns = ", ".join(columns_of(check.arguments)) or None
    return Finding(check.expectation, columns, check.on_failure, describe_rule(check), passed, **found)
