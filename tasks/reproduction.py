"""Training a registered version again; each call is a training of its own."""

from prefect import task

from pipelines import reproduction
from pipelines.audit import reproductions
from tasks.policies import NO_CACHE

train_again = task(task_run_name="train-again", cache_policy=NO_CACHE)(reproduction.train_again)
compare_versions = task(task_run_name="compare", cache_policy=NO_CACHE)(reproduction.compare_versions)
keep_reproduction = task(task_run_name="keep", cache_policy=NO_CACHE)(reproductions.keep_reproduction)
