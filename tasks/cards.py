"""A version's model card, written anew from what is stored."""

from prefect import task

from pipelines.cards import publish
from tasks.policies import NO_CACHE

publish_card = task(task_run_name="card", cache_policy=NO_CACHE)(publish.publish_card)
