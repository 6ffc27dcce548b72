"""What taking in rows answers, where nothing is trained."""

from __future__ import annotations

from pathlib import Path

from pipelines.home import Home
from pipelines.outcomes import describe_dataset
from pipelines.records import Batch, Record, Snapshot, ValidationReport


class IntakeOutcome(Record):
    """The snapshot that holds the rows now, where those that were read went, and the page that says why."""

    pipeline: str
    batch: str
    dataset: dict[str, str | int]
    warnings: list[str]
    page: Path


class ReplayOutcome(IntakeOutcome):
    """The same of rows from quarantine: how many came back, and how many wait on."""

    replayed: int
    waiting: int


def describe_intake(batch: Batch, report: ValidationReport, snapshot: Snapshot, page: Path) -> IntakeOutcome:
    """The answer to an intake."""
    return IntakeOutcome(
        pipeline=batch.pipeline,
        batch=batch.id,
        dataset=describe_dataset(batch, report, snapshot),
        warnings=[*batch.warnings, *report.warnings],
        page=page,
    )


def describe_replay(home: Home, outcome: IntakeOutcome) -> ReplayOutcome:
    """The answer to a replay."""
    from pipelines.data.storage.snapshots import quarantined_rows

    replayed = int(outcome.dataset["accepted"])
    waiting = quarantined_rows(home, outcome.pipeline)
    return ReplayOutcome(**outcome.model_dump(), replayed=replayed, waiting=waiting)
