"""`evergreen quarantine` and `evergreen ingest`: rows that come in, wait, and come back."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from evergreen.console import Answer, out, print_table
from pipelines.errors import UsageError
from pipelines.home import Home
from pipelines.registration import open_pipeline

if TYPE_CHECKING:
    from pipelines.data.quarantine.replays import QuarantineSummary
    from pipelines.intake import IntakeOutcome, ReplayOutcome

Pipeline = Annotated[str, typer.Argument(help="Name of a known pipeline, or path of its pipeline.yaml.")]


class Action(StrEnum):
    LIST = "list"
    EXPORT = "export"
    REPLAY = "replay"


def ingest(
    pipeline: Pipeline,
    data: Annotated[
        str | None, typer.Option(help="File, folder or glob to add to the pipeline's data, this once.")
    ] = None,
) -> Answer:
    """Take in new rows and check them, without training."""
    from flows.ingestion import ingestion

    outcome = ingestion(open_pipeline(Home.at(), pipeline).pipeline, data=data)
    return outcome.model_dump(mode="json"), lambda: show_intake(outcome), 0


def quarantine(
    pipeline: Pipeline,
    action: Annotated[
        Action, typer.Argument(help="See what waits, write it to a file, or bring it back.")
    ] = Action.LIST,
    output: Annotated[Path | None, typer.Option("--output", help="CSV or Parquet file to export to.")] = None,
    input: Annotated[
        Path | None, typer.Option("--input", help="An export, repaired [default: all that waits, as it is].")
    ] = None,
) -> Answer:
    """Rows that a check refused: what waits and why, a file to repair them in, and their way back."""
    if output is not None and action != Action.EXPORT:
        raise UsageError(f"--output is not for {action.value}.", "It says where export writes.")
    if input is not None and action != Action.REPLAY:
        raise UsageError(f"--input is not for {action.value}.", "It says what replay reads.")
    if action == Action.LIST:
        return list_rows(pipeline)
    return replay_rows(pipeline, input) if action == Action.REPLAY else export_rows(pipeline, output)


def list_rows(pipeline: str) -> Answer:
    """What waits, and why."""
    from pipelines.data.quarantine.replays import quarantine_summary

    home = Home.at()
    summary = quarantine_summary(home, open_pipeline(home, pipeline).pipeline)
    return summary.model_dump(mode="json"), lambda: show_summary(summary), 0


def export_rows(pipeline: str, output: Path | None) -> Answer:
    """Write what waits to a file."""
    from pipelines.data.quarantine.replays import export_quarantine

    if output is None:
        raise UsageError("export needs a file to write.", "Give --output waiting.csv, or waiting.parquet.")
    home = Home.at()
    config = open_pipeline(home, pipeline)
    rows = export_quarantine(config, home, output)
    answer: dict[str, Any] = {"pipeline": config.pipeline, "rows": rows, "output": str(output.absolute())}
    words = (
        f"Rows that wait, written to {output}: {rows:,}. Repair them there and keep `_id`, then:"
        f" evergreen quarantine {config.pipeline} replay --input {output}"
    )
    return answer, lambda: out.print(words, markup=False), 0


def replay_rows(pipeline: str, input: Path | None) -> Answer:
    """Bring rows back."""
    from flows.ingestion import replay

    outcome = replay(open_pipeline(Home.at(), pipeline).pipeline, input=str(input) if input else None)
    return outcome.model_dump(mode="json"), lambda: show_replay(outcome), 0


# ------------------------------------------------------------------------------------------------ views


def show_intake(outcome: IntakeOutcome) -> None:
    counts = outcome.dataset
    parts = ("known", "accepted", "quarantined", "refused")
    words = " + ".join(f"{counts[name]:,} {name}" for name in parts)
    out.print(
        f"Rows read: {counts['read']:,} = {words}. Snapshot {counts['id']} has {counts['rows']:,} rows."
    )
    for warning in outcome.warnings:
        out.print(f"Note: {warning}", markup=False)
    out.print(f"The report is {outcome.page}", markup=False)


def show_replay(outcome: ReplayOutcome) -> None:
    out.print(f"Rows back from quarantine: {outcome.replayed:,}; rows that wait on: {outcome.waiting:,}.")
    show_intake(outcome)


def show_summary(summary: QuarantineSummary) -> None:
    out.print(f"Rows that wait: {summary.waiting:,}; rows that have come back: {summary.replayed:,}.")
    if not summary.reasons:
        return
    lines = ([r.rows, r.column, r.expected, r.rule, r.batch] for r in summary.reasons)
    print_table(
        f"Why rows of {summary.pipeline} wait", ["rows", "column", "expected", "rule", "batch"], lines
    )
    out.print(f"Next: evergreen quarantine {summary.pipeline} export --output waiting.csv", markup=False)
