"""Finishes what a crash left half done, and keeps tables quick to read."""

from __future__ import annotations

from prefect import flow, unmapped

from pipelines.data.prediction_log import compact
from pipelines.home import Home
from pipelines.promotion import out_of_step
from tasks.publishing import send_causes
from tasks.registry import deploy_champion


@flow(name="maintenance")
def maintenance() -> dict[str, list[str]]:
    """Serve champions that are not served yet, send events that were not sent, compact prediction logs."""
    home = Home.at()
    sent, behind = send_causes(home), out_of_step(home)
    for folder in home.pipelines():
        compact(home, folder.root.name)
    # Side by side: a model that cannot be fetched holds up no other pipeline, and still fails the run.
    for deployed in deploy_champion.map(unmapped(home), behind):
        deployed.result()
    return {"deployed": behind, "sent": sent}
