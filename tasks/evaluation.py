"""Measuring a challenger, and keeping what monitoring will compare with."""

from prefect import task

from pipelines.evaluation import evaluate
from pipelines.monitoring import keep
from tasks.policies import BY_ATTEMPT, NO_CACHE

evaluate_model = task(
    task_run_name="evaluate", cache_policy=BY_ATTEMPT, persist_result=True, result_serializer="json"
)(evaluate.evaluate_model)
keep_reference = task(task_run_name="reference", cache_policy=NO_CACHE)(keep.keep_reference)
