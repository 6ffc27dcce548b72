"""Measuring a window of predictions."""

from prefect import task

from pipelines.monitoring import watch
from tasks.policies import NO_CACHE

measure_window = task(task_run_name="measure-{window.start:%Y-%m-%d}", cache_policy=NO_CACHE)(watch.measure)
judge_window = task(task_run_name="judge", cache_policy=NO_CACHE)(watch.judge)
