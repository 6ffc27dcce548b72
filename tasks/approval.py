"""A person is asked, and what was decided is carried out; each step finds what an earlier call of it did."""

from __future__ import annotations

from prefect import task

from pipelines.config import PipelineConfig
from pipelines.home import Home
from pipelines.promotion import approval
from pipelines.records import Approval, Promotion, TrainOutcome
from tasks.policies import NO_CACHE


@task(task_run_name="ask", cache_policy=NO_CACHE)
def request_approval(
    config: PipelineConfig, home: Home, promotion: Promotion, outcome: TrainOutcome
) -> Approval:
    """Store that a promotion waits for a person, and show with the run how to decide."""
    from prefect.artifacts import create_markdown_artifact

    asked = approval.request_approval(config, home, promotion, outcome)
    create_markdown_artifact(
        markdown=approval.render_approval(asked),
        key=f"{config.pipeline}-approval",
        description="Waits for a person",
    )
    return asked


approve = task(task_run_name="approve", cache_policy=NO_CACHE)(approval.approve)
reject = task(task_run_name="reject", cache_policy=NO_CACHE)(approval.reject)
expire_approvals = task(task_run_name="expire", cache_policy=NO_CACHE)(approval.expire_approvals)
finish_approvals = task(task_run_name="finish-approvals-{pipeline}", cache_policy=NO_CACHE)(
    approval.finish_approvals
)
