"""Scoring a file and taking in labels; both know what they have seen."""

from prefect import task

from pipelines import scoring
from pipelines.data.predictions import labels
from tasks.policies import NO_CACHE

score_file = task(task_run_name="score", cache_policy=NO_CACHE)(scoring.score_file)
add_labels = task(task_run_name="labels", cache_policy=NO_CACHE)(labels.add_labels)
