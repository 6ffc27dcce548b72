"""A person decides on a promotion that waits."""

from __future__ import annotations

from typing import Literal

from prefect import flow

from pipelines.home import Home
from pipelines.ledger import Ledger
from pipelines.records import TrainOutcome
from pipelines.registration import open_pipeline
from tasks.approval import approve, expire_approvals, reject
from tasks.publishing import publish_decisions


@flow(name="approval", flow_run_name="{decision}-{attempt}")
def approval(attempt: str, decision: Literal["approve", "reject"], by: str, reason: str) -> TrainOutcome:
    """Promote a challenger that waits for a person, or keep it out.

    Args:
        attempt: id of the attempt that waits; `evergreen status` and the artifact of its run name it.
        decision: approve or reject.
        by: the person who decides, for the history.
        reason: why, in words, for the history.
    """
    home = Home.at()
    for late in expire_approvals(home):
        publish_decisions(home, late.pipeline)
    config = open_pipeline(home, Ledger.open(home).approval(attempt).pipeline)
    if decision == "approve":
        outcome = approve(home, config, attempt, by, reason)
    else:
        outcome = reject(home, attempt, by, reason)
    publish_decisions(home, config.pipeline)
    return outcome
