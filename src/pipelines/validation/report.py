"""A validation report for people."""

from __future__ import annotations

from pathlib import Path

from pipelines.markdown import markdown_cell, markdown_table
from pipelines.records import Batch, RuleResult, ValidationReport, count_rows

HEAD = ["check", "column", "if it fails", "verdict", "rows", "what was found", "such as"]
MOST_EXAMPLES = 3


def render_validation(batch: Batch, report: ValidationReport, page: Path) -> str:
    """The report as Markdown, for a Prefect artifact; what comes from data cannot break out of its cell.

    `page` is the whole report as HTML. Its path stands there as text, too: browsers follow no link from a
    server's page to a file.
    """
    parts = [
        f"### Batch {markdown_cell(report.batch)} of {markdown_cell(report.pipeline)}",
        summarise(report),
        f"Rows: {count_rows(batch, report)}.",
    ]
    if report.results:
        parts.append(markdown_table(HEAD, [result_line(result) for result in report.results]))
    parts += [f"- Warning: {markdown_cell(warning)}" for warning in [*batch.warnings, *report.warnings]]
    parts.append(f"[The whole report, with the history of each rule]({page.as_uri()}): `{page}`")
    return "\n\n".join(parts) + "\n"


def summarise(report: ValidationReport) -> str:
    """The verdict in a sentence or, for a refusal, one for each reason."""
    if report.refused:
        reasons = "\n".join(f"- {markdown_cell(reason)}" for reason in report.refused.splitlines())
        return f"**Refused**: none of the {report.rows:,} rows was used.\n\n{reasons}"
    return f"**Accepted** {report.accepted:,} of {report.rows:,} rows; {report.quarantined:,} in quarantine."


def result_line(result: RuleResult) -> list[object]:
    """One line of the table."""
    verdict = "✅ holds" if result.passed else {"warn": "⚠️ warns"}.get(result.on_failure, "❌ broken")
    found = [result.unexpected, result.message, " · ".join(result.examples[:MOST_EXAMPLES])]
    return [result.rule, result.column or "", result.on_failure, verdict, *found]
