"""A judgment for people."""

from __future__ import annotations

from pipelines.markdown import markdown_cell, markdown_table
from pipelines.records import Evaluation, GateVerdict, TrainOutcome

SIGNS = {"pass": "✅ pass", "fail": "❌ fail", "inconclusive": "❔ inconclusive"}


def render_judgment(
    evaluation: Evaluation, verdicts: list[GateVerdict], outcome: TrainOutcome, mlflow_run: str
) -> str:
    """Metrics against champion and baseline, and what each gate said, as Markdown for a Prefect artifact."""
    champion = evaluation.comparison.champion_metrics if evaluation.comparison else {}
    lines = [
        [
            name,
            f"{value:.4g}",
            f"{champion[name]:.4g}" if champion else "none to compare with",
            f"{evaluation.baseline_metrics[name]:.4g}",
        ]
        for name, value in evaluation.metrics.items()
    ]
    interval = evaluation.interval
    parts = [
        f"### Attempt {markdown_cell(evaluation.attempt)}",
        f"Snapshot {markdown_cell(outcome.dataset.get('id', ''))}, {evaluation.rows:,} test rows;"
        f" {evaluation.metric} {interval.value:.4g}, 95 % {interval.low:.4g} to {interval.high:.4g}.",
        markdown_table(["metric", "challenger", "champion", evaluation.baseline], lines),
        markdown_table(
            ["gate", "verdict", "reason"], [[v.name, SIGNS[v.verdict], v.reason] for v in verdicts]
        ),
        f"MLflow run {mlflow_run}",
    ]
    return "\n\n".join(parts) + "\n"
