"""A person is asked, and what was decided is carried out; each step finds what an earlier call of it did."""

from prefect import task

from pipelines.promotion import approval
from tasks.policies import NO_CACHE

request_approval = task(task_run_name="ask", cache_policy=NO_CACHE)(approval.request_approval)
approve = task(task_run_name="approve", cache_policy=NO_CACHE)(approval.approve)
reject = task(task_run_name="reject", cache_policy=NO_CACHE)(approval.reject)
expire_approvals = task(task_run_name="expire", cache_policy=NO_CACHE)(approval.expire_approvals)
finish_approvals = task(task_run_name="finish-approvals-{pipeline}", cache_policy=NO_CACHE)(
    approval.finish_approvals
)
