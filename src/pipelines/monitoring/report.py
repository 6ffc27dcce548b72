"""A window's judgment for people."""

from __future__ import annotations

from pipelines.markdown import markdown_cell, markdown_table
from pipelines.monitoring.judge import excess
from pipelines.records import Drift, WindowJudgment

HEAD = ["column", "test", "score", "threshold", "verdict"]
SIGNS = {"healthy": "✅", "drift": "⚠️", "degraded": "❌", "insufficient": "…"}


def render_drift(judgment: WindowJudgment) -> str:
    """The judgment and the drift of each column, the furthest first, as Markdown for a Prefect artifact."""
    measure = judgment.measure
    start, end = (f"{bound:%Y-%m-%d %H:%M}" for bound in (measure.start, measure.end))
    parts = [
        f"### {markdown_cell(measure.pipeline)}, {start} to {end}",
        f"{SIGNS[judgment.verdict]} **{judgment.verdict}**, decision: **{judgment.decision}**",
        markdown_cell(judgment.reason),
        f"Version {measure.version}; {measure.rows:,} rows, {measure.labelled:,} with labels.",
    ]
    if measure.drift and measure.drift.columns:
        parts.append(markdown_table(HEAD, drift_lines(measure.drift)))
    if judgment.cause:
        parts.append(f"Cause `{markdown_cell(judgment.cause)}`")
    if measure.drift and measure.drift.report:
        parts.append(f"Evidently's page: {markdown_cell(measure.drift.report)}")
    return "\n\n".join(parts) + "\n"


def drift_lines(drift: Drift) -> list[list[object]]:
    """The table's lines."""
    return [
        [c.column, c.method, f"{c.score:.3f}", f"{c.threshold:.3f}", "⚠️ moved" if c.drifted else "calm"]
        for c in sorted(drift.columns, key=excess, reverse=True)
    ]
