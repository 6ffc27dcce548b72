"""Great Expectations measures the declared checks: one query for all, then one for each that fails.

The checks go into one graph of metrics, which GX's engine bundles into a single scan of the parts, and GX
judges each check by the metrics. What a data context would add (copies, rendering, a process-wide current
context) is left out. The condition that GX made for a row rule names its rows, too.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from great_expectations.exceptions import GreatExpectationsError
from great_expectations.expectations.expectation import Expectation
from great_expectations.validator.metric_configuration import MetricConfiguration
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

TOGETHER = 100  # checks of one scan: GX's own time grows with their square


def measure_checks(config: PipelineConfig, staged: Staged) -> list[Broken]:
    """The findings of the pipeline's checks, in the order of the definition.

    Raises ConfigError for a check that cannot exist. One that cannot run is a finding with `error`.
    """
    # A metric that cannot be computed is in the result; GX also logs it with a traceback.
    logging.getLogger("great_expectations").setLevel(logging.CRITICAL)
    expectations = build_expectations(config)
    engine = DuckDBExecutionEngine(staged)
    pairs = list(zip(config.validation.checks, expectations, strict=True))
    broken: list[Broken] = []
    for start in range(0, len(pairs), TOGETHER):
        broken += measure_together(staged, engine, pairs[start : start + TOGETHER])
    return [with_examples(staged, rule) for rule in broken]


def measure_together(
    staged: Staged, engine: DuckDBExecutionEngine, pairs: list[tuple[Check, Expectation]]
) -> list[Broken]:
    """The findings of some checks, from one scan."""
    graph = MetricGraph(engine)
    roots = [roots_of(expectation, graph, engine) for _, expectation in pairs]
    measured = Measured(engine, graph)
    return [
        measure_on_pandas(staged, check, expectation)
        if metrics is None
        else to_broken(staged, check, expectation, measured, metrics)
        for (check, expectation), metrics in zip(pairs, roots, strict=True)
    ]


class MetricGraph(ValidationGraph):  # type: ignore[misc]
    """GX's graph, which would follow a metric anew for each that needs it."""

    def __init__(self, engine: Any) -> None:
        super().__init__(engine)
        self.built: dict[Any, MetricConfiguration] = {}

    def build_metric_dependency_graph(
        self, metric_configuration: MetricConfiguration, runtime_configuration: dict[str, Any] | None = None
    ) -> None:
        self.set_metric_configuration_default_kwargs_if_absent(metric_configuration)
        key = metric_configuration.id
        if key not in self.built:
            self.built[key] = metric_configuration
            super().build_metric_dependency_graph(metric_configuration, runtime_configuration)

    def below(self, roots: Iterable[MetricConfiguration]) -> dict[Any, MetricConfiguration]:
        """The metrics that some need, themselves included, by GX's key."""
        found: dict[Any, MetricConfiguration] = {}
        waiting = list(roots)
        while waiting:
            metric = self.built[waiting.pop().id]
            if metric.id not in found:
                found[metric.id] = metric
                waiting += metric.metric_dependencies.values()
        return found


def roots_of(
    expectation: Expectation, graph: MetricGraph, engine: DuckDBExecutionEngine
) -> list[MetricConfiguration] | None:
    """The metrics that an expectation asks for, now in the graph; None where they are computed on pandas."""
    if expectation.expectation_type in ON_PANDAS:
        return None
    needed = expectation.get_validation_dependencies(engine, runtime_of(expectation))
    roots: list[MetricConfiguration] = needed.get_metric_configurations()
    for metric in roots:
        graph.build_metric_dependency_graph(metric, runtime_of(expectation))
    return roots


def runtime_of(expectation: Expectation) -> dict[str, Any]:
    """What GX is asked for. Of row rules the verdict alone, else it fetches examples, check by check."""
    wanted = "BOOLEAN_ONLY" if map_metric(expectation) else "BASIC"
    return {"result_format": {"result_format": wanted}}


def map_metric(expectation: Expectation) -> str | None:
    """The name of a row rule's metric; None for a rule about the whole batch."""
    return getattr(expectation, "map_metric", None)


class Measured:
    """The metrics of all checks, computed together, and GX's verdicts from them."""

    def __init__(self, engine: Any, graph: MetricGraph) -> None:
        self.engine = engine
        self.graph = graph
        self.metrics, self.aborted = graph.resolve({"catch_exceptions": True}, show_progress_bars=False)

    def judge(self, expectation: Expectation, roots: list[MetricConfiguration]) -> tuple[Any, str]:
        """GX's result, or why there is none, without GX's tracebacks."""
        if failed := [self.aborted[key] for key in self.graph.below(roots) if key in self.aborted]:
            messages = [one_line(entry["exception_info"].exception_message) for entry in failed]
            return None, "; ".join(dict.fromkeys(messages))
        try:
            runtime = runtime_of(expectation)
            result = expectation.metrics_validate(
                metrics=self.metrics, runtime_configuration=runtime, execution_engine=self.engine
            )
        except (GreatExpectationsError, ArithmeticError, LookupError, TypeError, ValueError) as error:
            return None, one_line(error)
        return result, ""

    def rows(self, expectation: Expectation, roots: list[MetricConfiguration]) -> tuple[int, Any, Any]:
        """Of a row rule: how many rows break it, GX's own SQL condition of these, and the rows it is for."""
        metrics = {metric.metric_name: metric for metric in self.graph.below(roots).values()}
        name = map_metric(expectation)
        count = int(self.metrics[metrics[f"{name}.unexpected_count"].id] or 0)
        condition, _, _ = self.metrics[metrics[f"{name}.condition"].id]
        table = self.engine.get_domain_records(metrics[f"{name}.condition"].metric_domain_kwargs)
        return count, condition, table.subquery() if hasattr(table, "subquery") else table


def to_broken(
    staged: Staged,
    check: Check,
    expectation: Expectation,
    measured: Measured,
    roots: list[MetricConfiguration],
) -> Broken:
    """GX's verdict on one check in our words, with the rows that it is about."""
    import sqlalchemy as sa

    result, error = measured.judge(expectation, roots)
    if result is None:
        return Broken(to_finding(check, passed=False, error=shorten(error or "its metrics are missing")))
    if map_metric(expectation):
        count, condition, table = measured.rows(expectation, roots)
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
