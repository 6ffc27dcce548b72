"""Takes in rows without training: new ones of the source, and those that waited in quarantine."""

from __future__ import annotations

from pathlib import Path

from prefect import flow

from pipelines.home import Home
from pipelines.intake import IntakeOutcome, ReplayOutcome, describe_intake, describe_replay
from pipelines.lock import one_at_a_time
from pipelines.registration import open_pipeline
from tasks.data import accept_batch, accept_replay, stage_batch, stage_replay
from tasks.publishing import publish_validation
from tasks.validation import validate_batch


@flow(name="ingestion", flow_run_name="ingest-{pipeline}")
def ingestion(pipeline: str, data: str | None = None) -> IntakeOutcome:
    """Take in new rows, check them, and make a snapshot of those that are good.

    Args:
        pipeline: name of a known pipeline, or the path of its pipeline.yaml.
        data: a file, folder or glob to add to the pipeline's data first; its own source is always read.
    """
    home = Home.at()
    config = open_pipeline(home, pipeline)
    with one_at_a_time(home, config.pipeline):
        batch = stage_batch(config, home, [data] if data else [])
        report = validate_batch(config, home, batch)
        page = publish_validation(home, batch, report)
        snapshot = accept_batch(home, batch, report)
    return describe_intake(batch, report, snapshot, page)


@flow(name="replay", flow_run_name="replay-{pipeline}")
def replay(pipeline: str, input: str | None = None) -> ReplayOutcome:
    """Check rows that wait in quarantine anew, and bring those back that are good now, once.

    Args:
        pipeline: name of a known pipeline, or the path of its pipeline.yaml.
        input: an export of the quarantine, repaired; without it, all rows that wait are checked as they are.
    """
    home = Home.at()
    config = open_pipeline(home, pipeline)
    with one_at_a_time(home, config.pipeline):
        batch = stage_replay(config, home, Path(input) if input else None)
        report = validate_batch(config, home, batch)
        page = publish_validation(home, batch, report)
        snapshot = accept_replay(home, batch, report)
    return describe_replay(home, describe_intake(batch, report, snapshot, page))
