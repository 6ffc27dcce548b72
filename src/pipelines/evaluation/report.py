"""A judgment for people."""

from __future__ import annotations

from pipelines.gates.words import number, span
from pipelines.markdown import LONGEST_WORDS, markdown_cell, markdown_table
from pipelines.records import Evaluation, GateVerdict, GroupFairness, Importance, Interval, TrainOutcome

MOST_FEATURES = 10
SIGNS = {"pass": "✅ pass", "fail": "❌ fail", "inconclusive": "❔ inconclusive"}


def render_judgment(
    evaluation: Evaluation, verdicts: list[GateVerdict], outcome: TrainOutcome, mlflow_run: str
) -> str:
    """Metrics against champion and baseline, and what each gate said, as Markdown for a Prefect artifact."""
    columns: dict[str, dict[str, float]] = {}
    if (compared := evaluation.comparison) is not None:
        on = f" on {compared.rows:,} rows" if compared.beside else ""
        columns |= {f"challenger{on}": compared.beside} if on else {}
        columns[f"champion{on}"] = compared.champion_metrics
    columns |= {baseline.name: baseline.metrics for baseline in evaluation.baselines}
    lines = [
        [
            name,
            number(value),
            f"{number(evaluation.intervals[name].low)} to {number(evaluation.intervals[name].high)}",
            *(cell(metrics.get(name)) for metrics in columns.values()),
        ]
        for name, value in evaluation.metrics.items()
    ]
    parts = [
        f"### Attempt {markdown_cell(evaluation.attempt)}",
        f"Snapshot {markdown_cell(outcome.dataset.get('id', ''))}, {evaluation.rows:,} test rows.",
        markdown_table(["metric", "challenger", "95 % interval", *columns], lines),
        markdown_table(
            ["gate", "verdict", "reason"],
            [[v.name, SIGNS[v.verdict], v.reason] for v in verdicts],
            LONGEST_WORDS,
        ),
        *examined(evaluation),
        f"MLflow run {mlflow_run}",
    ]
    return "\n\n".join(parts) + "\n"


def examined(evaluation: Evaluation) -> list[str]:
    """What is known beyond the metrics, a short table each; nothing of what was not measured."""
    parts = []
    if evaluation.slices:
        parts.append(
            markdown_table(["slice", "rows", evaluation.metric, "better than champion"], slices(evaluation))
        )
    if evaluation.fairness:
        head = ["groups of", "selection ratio", "odds difference", "calibration difference"]
        parts.append(markdown_table(head, [groups(found) for found in evaluation.fairness]))
    if evaluation.importances:
        head = ["column", f"{evaluation.metric} lost without it", "mean absolute Shapley value", "by itself"]
        parts.append(markdown_table(head, features(evaluation)))
    if failures := [probe for probe in evaluation.probes if probe.failure]:
        rows = [[probe.name, probe.column or "", probe.failure or ""] for probe in failures]
        parts.append(markdown_table(["changed rows", "column", "what was answered"], rows))
    if taken := evaluation.footprint:
        parts.append(
            f"Loaded in {taken.load_seconds:.2g} s; a row takes {taken.latency_p50:.3g} ms (99 %:"
            f" {taken.latency_p99:.3g} ms), {taken.memory_bytes / 1e6:.0f} MB of memory,"
            f" {taken.size_bytes / 1e6:.1f} MB on disk."
        )
    return parts


def slices(evaluation: Evaluation) -> list[list[str]]:
    """Named ones first; those found are marked."""
    return [
        [
            f"{part.name} (found)" if part.found else part.name,
            part.size,
            cell(part.interval),
            cell(part.difference),
        ]
        for part in evaluation.slices
    ]


def groups(found: GroupFairness) -> list[str]:
    rates = (found.selection_ratio, found.odds_difference, found.calibration_difference)
    return [found.column, *(give_or_take(rate.value, rate.error) if rate else "-" for rate in rates)]


def features(evaluation: Evaluation) -> list[list[str]]:
    return [
        [one.column, fall(one), cell(one.shapley), cell(one.alone)]
        for one in evaluation.importances[:MOST_FEATURES]
    ]


def fall(one: Importance) -> str:
    return "-" if one.permutation is None else give_or_take(one.permutation, one.deviation)


def give_or_take(value: float, error: float) -> str:
    return f"{number(value)} ± {error:.2g}"


def cell(found: Interval | float | None) -> str:
    """A number, with its interval where it has one; a dash where it is not known."""
    if found is None:
        return "-"
    return span(found) if isinstance(found, Interval) else number(found)
