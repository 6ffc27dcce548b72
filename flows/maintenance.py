"""Finishes what a crash left half done, and keeps tables quick to read."""

from __future__ import annotations

from typing import Any

from prefect import flow, unmapped
from prefect.futures import PrefectFuture

from pipelines.data.predictions.prediction_log import compact
from pipelines.home import Home
from pipelines.ledger import Ledger
from pipelines.promotion import out_of_step
from tasks.cancelling import stop_cancelled
from tasks.data import vacuum_pipeline
from tasks.publishing import send_causes
from tasks.registry import deploy_champion


@flow(name="maintenance")
def maintenance() -> dict[str, list[str]]:
    """Serve champions not served yet, send events not sent, stop cancelled trainings, tidy tables up."""
    home = Home.at()
    sent, stopped, behind = send_causes(home), stop_cancelled(home), out_of_step(home)
    for folder in home.pipelines():
        compact(home, folder.root.name)
    # Side by side: a model that cannot be fetched holds up no other pipeline, and still fails the run.
    deployed = deploy_champion.map(unmapped(home), behind)
    vacuumed = vacuum_pipeline.map(unmapped(home), Ledger.open(home).pipelines())
    steps: list[PrefectFuture[Any]] = [*deployed, *vacuumed]
    for step in steps:
        step.result()
    return {"deployed": behind, "sent": sent, "stopped": stopped}
