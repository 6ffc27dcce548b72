"""A validation report for people."""

from __future__ import annotations

from pipelines.markdown import markdown_cell, markdown_table
from pipelines.records import RuleResult, ValidationReport

HEAD = ["check", "column", "if it fails", "verdict", "rows", "what was found"]


def render_validation(report: ValidationReport) -> str:
    """The report as Markdown, for a Prefect artifact; what comes from data cannot break out of its cell."""
    parts = [
        f"### Batch {markdown_cell(report.batch)} of {markdown_cell(report.pipeline)}",
        summarise(report),
    ]
    if report.results:
        parts.append(markdown_table(HEAD, [result_line(result) for result in report.results]))
    parts += [f"- Warning: {markdown_cell(warning)}" for warning in report.warnings]
    return "\n\n".join(parts) + "\n"


def summarise(report: ValidationReport) -> str:
    """The verdict in a sentence or, for a refusal, one for each reason."""
    if report.refused:
        reasons = "\n".join(f"- {markdown_cell(reason)}" for reason in report.refused.splitlines())
        return f"**Refused**: none of the {report.rows:,} rows was used.\n\n{reasons}"
    accepted = report.rows - report.quarantined
    return f"**Accepted** {accepted:,} of {report.rows:,} rows; {report.quarantined:,} in quarantine."


def result_line(result: RuleResult) -> list[object]:
    """One line of the table."""
    verdict = "✅ holds" if result.passed else {"warn": "⚠️ warns"}.get(result.on_failure, "❌ broken")
    return [result.rule, result.column or "", result.on_failure, verdict, result.unexpected, result.message]
