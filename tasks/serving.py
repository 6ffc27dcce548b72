"""Waiting until the prediction service answers with a version."""

from prefect import task

from pipelines.serving import rollout
from tasks.policies import NO_CACHE

confirm_serving = task(task_run_name="confirm", cache_policy=NO_CACHE)(rollout.confirm_serving)
