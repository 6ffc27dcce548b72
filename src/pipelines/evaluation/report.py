"""A judgment for people."""

from __future__ import annotations

from pipelines.markdown import markdown_cell, markdown_table
from pipelines.records import Evaluation, GateVerdict, TrainOutcome

SIGNS = {"pass": "✅ pass", "fail": "❌ fail", "inconclusive": "❔ inconclusive"}


def render_judgment(
    evaluation: Evaluation, verdicts: list[GateVerdict], outcome: TrainOutcome, mlflow_run: str
) -> str:
    """Metrics against champion and baseline, and what each gate said, as Markdown for a Prefect artifact."""
    columns = {"champion": evaluation.comparison.champion_metrics if evaluation.comparison else {}}
    columns |= {baseline.name: baseline.metrics for baseline in evaluation.baselines}
    lines = [
        [
            name,
            f"{value:.4g}",
            f"{evaluation.intervals[name].low:.4g} to {evaluation.intervals[name].high:.4g}",
            *(f"{metrics[name]:.4g}" if name in metrics else "-" for metrics in columns.values()),
        ]
        for name, value in evaluation.metrics.items()
    ]
    parts = [
        f"### Attempt {markdown_cell(evaluation.attempt)}",
        f"Snapshot {markdown_cell(outcome.dataset.get('id', ''))}, {evaluation.rows:,} test rows.",
        markdown_table(["metric", "challenger", "95 % interval", *columns], lines),
        markdown_table(
            ["gate", "verdict", "reason"], [[v.name, SIGNS[v.verdict], v.reason] for v in verdicts]
        ),
        f"MLflow run {mlflow_run}",
    ]
    return "\n\n".join(parts) + "\n"
