"""Let old snapshots go, but for those that a model which may serve again was trained on."""

from __future__ import annotations

import shutil
import time
from datetime import UTC, datetime, timedelta

from pipelines.config import PipelineConfig
from pipelines.data.storage.tables import open_table
from pipelines.errors import ConfigError
from pipelines.home import Home
from pipelines.ledger import Ledger
from pipelines.lock import if_nobody_else
from pipelines.records import Record
from pipelines.registration import open_pipeline

ABANDONED = timedelta(days=1)  # a batch that was staged and never accepted
REFUSED_KEPT = 3  # batches, the newest, to be looked into


class Vacuumed(Record):
    """The versions that can be read, those that cannot any more, and how many files went (or would)."""

    kept: list[int]
    gone: list[int]
    files: int


def vacuum_snapshots(home: Home, config: PipelineConfig, dry_run: bool = False) -> Vacuumed:
    """Remove the files of snapshots replaced `data.retention` ago which no registered model was trained on.

    The newest snapshot always stays. Rows that a newer snapshot still has stay with it: what goes are the
    files that a rebuild replaced. Nothing is removed with `dry_run`. Whoever calls has the pipeline's turn: a
    file that is about to be committed is one that no snapshot has.
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
    newest = table.version()
    replaced = {version: written.get(version + 1, limit) for version in written}
    kept = sorted(v for v, at in replaced.items() if at >= limit or v in live or v == newest)
    files = table.vacuum(
        retention_hours=0, dry_run=dry_run, enforce_retention_duration=False, full=True, keep_versions=kept
    )
    if not dry_run:
        clear_incoming(home, config)
    return Vacuumed(kept=kept, gone=sorted(set(written) - set(kept)), files=len(files))


def vacuum_pipeline(home: Home, pipeline: str) -> Vacuumed | None:
    """The same for a pipeline by its name; None, and nothing done, while another process has its turn.

    One whose definition is gone states no retention and keeps all.
    """
    with if_nobody_else(home, pipeline) as mine:
        try:
            return vacuum_snapshots(home, open_pipeline(home, pipeline)) if mine else None
        except ConfigError:
            return None


def live_versions(home: Home, pipeline: str) -> set[int]:
    """The snapshots of registered models: a rollback may make any of them champion again."""
    stored = Ledger.open(home).attempts(pipeline)
    return {one.attempt.snapshot.version for one in stored if one.version is not None}


def clear_incoming(home: Home, config: PipelineConfig) -> None:
    """Remove staged batches that nobody judged or named for a day, and refused ones but for the newest."""
    incoming = home.pipeline(config.pipeline).incoming
    intakes = Ledger.open(home).intakes(config.pipeline)
    refused = [intake.batch.folder for intake in intakes if intake.state == "refused"]
    for folder in incoming.glob("*"):
        old = time.time() - folder.stat().st_mtime > ABANDONED.total_seconds()
        if old and str(folder) not in refused[-REFUSED_KEPT:]:
            shutil.rmtree(folder, ignore_errors=True)
