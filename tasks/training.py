"""Training an attempt; submitted twice it attaches, so trying again is safe."""

from prefect import task

from pipelines.training import attempts
from tasks.policies import NO_CACHE

fit_model = task(task_run_name="fit-{attempt.id}", retries=0, cache_policy=NO_CACHE)(attempts.fit_model)
