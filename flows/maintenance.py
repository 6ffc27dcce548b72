"""Finishes what a crash left half done, and keeps tables quick to read."""

from __future__ import annotations

from prefect import flow

from pipelines.data.prediction_log import compact
from pipelines.home import Home
from pipelines.promotion import out_of_step
from tasks.publishing import send_causes
from tasks.registry import deploy_champion


@flow(name="maintenance")
def maintenance() -> dict[str, list[str]]:
    """Serve champions that are not served yet, send events that were not sent, compact prediction logs."""
    home = Home.at()
    behind = out_of_step(home)
    for pipeline in behind:
        deploy_champion(home, pipeline)
    sent = send_causes(home)
    for pipeline in (folder.root.name for folder in home.pipelines()):
        compact(home, pipeline)
    return {"deployed": behind, "sent": sent}
