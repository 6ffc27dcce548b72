"""Talking to MLflow; every step finds what an earlier call of it made."""

from prefect import task

from pipelines import promotion
from pipelines.registry import run_log
from tasks.policies import NO_CACHE, READ_AGAIN

log_attempt = task(task_run_name="log", retries=2, retry_delay_seconds=READ_AGAIN, cache_policy=NO_CACHE)(
    run_log.log_attempt
)
register_version = task(
    task_run_name="register", retries=2, retry_delay_seconds=READ_AGAIN, cache_policy=NO_CACHE
)(promotion.register_version)
promote = task(task_run_name="promote", cache_policy=NO_CACHE)(promotion.promote)
deploy_champion = task(
    task_run_name="deploy", retries=2, retry_delay_seconds=READ_AGAIN, cache_policy=NO_CACHE
)(promotion.deploy_champion)
