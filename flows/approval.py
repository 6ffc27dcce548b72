"""A person decides on a promotion that waits."""

from __future__ import annotations

from typing import Literal

from prefect import flow

from pipelines.home import Home
from pipelines.ledger import Ledger
from pipelines.markdown import markdown_cell
from pipelines.records import TrainOutcome
from pipelines.registration import open_pipeline
from tasks.approval import approve, reject
from tasks.cards import publish_card
from tasks.publishing import publish


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
    config = open_pipeline(home, Ledger.open(home).approval(attempt).pipeline)
    if decision == "approve":
        outcome = approve(home, config, attempt, by, reason)
    else:
        outcome = reject(home, attempt, by, reason)
    publish_card(home, config, int(outcome.model["version"]))
    words = f"Attempt {attempt}: {outcome.status}. {markdown_cell(by)}: {markdown_cell(reason)}"
    publish(f"{outcome.pipeline}-approval", words, "What was decided")
    return outcome
