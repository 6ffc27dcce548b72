"""Checking a batch."""

from prefect import task

from pipelines.validation import batch
from tasks.policies import NO_CACHE

validate_batch = task(task_run_name="validate", cache_policy=NO_CACHE)(batch.validate_batch)
