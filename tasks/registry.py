"""Talking to MLflow, and changing who is champion; every step finds what an earlier call of it made."""

from prefect import task

from pipelines.errors import EvergreenError
from pipelines.promotion import champion, choosing, transaction
from pipelines.registry import run_log
from tasks.policies import NO_CACHE, READ_AGAIN, unless

log_attempt = task(task_run_name="log", retries=2, retry_delay_seconds=READ_AGAIN, cache_policy=NO_CACHE)(
    run_log.log_attempt
)
register_version = task(
    task_run_name="register", retries=2, retry_delay_seconds=READ_AGAIN, cache_policy=NO_CACHE
)(champion.register_version)
challenge = task(
    task_run_name="promote",
    retries=2,
    retry_delay_seconds=READ_AGAIN,
    retry_condition_fn=unless(EvergreenError),
    cache_policy=NO_CACHE,
)(transaction.challenge)
promote = task(task_run_name="promote", cache_policy=NO_CACHE)(transaction.promote)
settle_pipeline = task(
    task_run_name="settle-{pipeline}",
    retries=2,
    retry_delay_seconds=READ_AGAIN,
    retry_condition_fn=unless(EvergreenError),
    cache_policy=NO_CACHE,
)(transaction.settle_pipeline)
choose_version = task(task_run_name="choose-{version}", cache_policy=NO_CACHE)(choosing.choose_version)
roll_back = task(task_run_name="roll-back", cache_policy=NO_CACHE)(choosing.roll_back)
restore_champion = task(task_run_name="restore", cache_policy=NO_CACHE)(transaction.restore_champion)
