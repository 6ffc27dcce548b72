"""Finishes what a crash left half done, and keeps tables quick to read."""

from __future__ import annotations

from typing import Any

from prefect import flow, unmapped
from prefect.futures import PrefectFuture, wait

from pipelines.home import Home
from pipelines.ledger import Ledger
from pipelines.promotion.transaction import unsettled
from tasks.approval import expire_approvals, finish_approvals
from tasks.cancelling import stop_cancelled
from tasks.data import compact, vacuum_pipeline
from tasks.publishing import publish_decisions, send_causes
from tasks.registry import settle_pipeline


@flow(name="maintenance")
def maintenance() -> dict[str, list[str]]:
    """Finish promotions and approvals, warn of moved aliases, send events, stop trainings, tidy up."""
    home = Home.at()
    sent, stopped, behind = send_causes(home), stop_cancelled(home), unsettled(home)
    expired = expire_approvals(home)
    # Side by side: a damaged log or a model that cannot be fetched holds up nothing else, and fails the run.
    pipelines = Ledger.open(home).pipelines()
    finished = finish_approvals.map(unmapped(home), pipelines)
    settled = settle_pipeline.map(unmapped(home), pipelines)
    vacuumed = vacuum_pipeline.map(unmapped(home), pipelines)
    compacted = compact.map(unmapped(home), pipelines)
    steps: list[PrefectFuture[Any]] = [*finished, *settled, *vacuumed, *compacted]
    wait(steps)
    steps += publish_decisions.map(unmapped(home), pipelines)
    for step in steps:
        step.result()
    decided = [
        *(one.attempt for one in expired),
        *(attempt for step in finished for attempt in step.result()),
    ]
    moved = [words for step in settled if (words := step.result())]
    return {"settled": behind, "sent": sent, "stopped": stopped, "decided": decided, "aliases": moved}
