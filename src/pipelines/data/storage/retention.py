"""Let old snapshots go, but for those that a model which may serve again was trained on."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

from pipelines.clock import now
from pipelines.config import PipelineConfig
from pipelines.data.storage.tables import open_table
from pipelines.errors import ConfigError
from pipelines.home import Home
from pipelines.ledger import Ledger
from pipelines.records import Attempt, Record
from pipelines.registration import open_pipeline

ABANDONED = timedelta(days=1)  # a batch that was staged and never judged


class Vacuumed(Record):
    """The versions that can be read, those that cannot any more, and how many files went (or would)."""

    kept: list[int]
    gone: list[int]
    files: int


def vacuum_snapshots(home: Home, config: PipelineConfig, dry_run: bool = False) -> Vacuumed:
    """Remove the files of snapshots older than `data.retention` which no registered model was trained on.

    The newest snapshot always stays. Rows that a newer snapshot still has stay with it: what goes are the
    files that a rebuild replaced. Nothing is removed with `dry_run`.
    """
    folder = home.pipeline(config.pipeline)
    table = open_table(folder.rows)
    if table is None:
        return Vacuumed(kept=[], gone=[], files=0)
    limit = datetime.now(UTC) - config.data.retention
    written = {
        entry["version"]: datetime.fromtimestamp(entry["timestamp"] / 1000, UTC) for entry in table.history()
    }
    live = live_versions(home, config.pipeline)
    kept = sorted(v for v, at in written.items() if at >= limit or v in live or v == table.version())
    files = table.vacuum(
        retention_hours=0, dry_run=dry_run, enforce_retention_duration=False, full=True, keep_versions=kept
    )
    if not dry_run:
        clear_incoming(home, config)
    return Vacuumed(kept=kept, gone=sorted(set(written) - set(kept)), files=len(files))


def vacuum_pipeline(home: Home, pipeline: str) -> Vacuumed:
    """The same for a pipeline by its name; one whose definition is gone states no retention and keeps all."""
    try:
        return vacuum_snapshots(home, open_pipeline(home, pipeline))
    except ConfigError:
        return Vacuumed(kept=[], gone=[], files=0)


def live_versions(home: Home, pipeline: str) -> set[int]:
    """The snapshots of registered models: a rollback may make any of them champion again."""
    rows = Ledger.open(home).attempts(pipeline)
    return {Attempt.model_validate(row.attempt).snapshot.version for row in rows if row.version is not None}


def clear_incoming(home: Home, config: PipelineConfig) -> None:
    """Remove staged batches that nobody judged for a day, and refused ones older than the retention."""
    intakes = Ledger.open(home).intakes(config.pipeline)
    limits = {"staged": ABANDONED, "refused": config.data.retention}
    for intake in intakes:
        if intake.state in limits and now() - intake.created > limits[intake.state]:
            shutil.rmtree(Path(intake.batch.folder), ignore_errors=True)
