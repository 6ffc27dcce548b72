"""Reading new rows, or those that waited in quarantine, accepting them, and letting old files go."""

from prefect import task

from pipelines.data.ingestion import batches
from pipelines.data.predictions import prediction_log
from pipelines.data.quarantine import replays as quarantine
from pipelines.data.storage import retention, snapshots
from pipelines.errors import DataError, UsageError
from tasks.policies import NO_CACHE, READ_AGAIN, unless

stage_batch = task(
    task_run_name="ingest",
    retries=2,
    retry_delay_seconds=READ_AGAIN,
    retry_condition_fn=unless(DataError, UsageError),
    cache_policy=NO_CACHE,
)(batches.stage_batch)
stage_replay = task(task_run_name="replay", cache_policy=NO_CACHE)(quarantine.stage_replay)
accept_replay = task(task_run_name="snapshot", cache_policy=NO_CACHE)(quarantine.accept_replay)
accept_batch = task(task_run_name="snapshot", cache_policy=NO_CACHE)(snapshots.accept_batch)
vacuum_pipeline = task(task_run_name="vacuum-{pipeline}", cache_policy=NO_CACHE)(retention.vacuum_pipeline)
compact = task(task_run_name="compact-{pipeline}", cache_policy=NO_CACHE)(prediction_log.compact)
