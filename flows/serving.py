"""A person decides which version is in production."""

from __future__ import annotations

from prefect import flow

from pipelines.home import Home
from pipelines.promotion import choose_version, previous_version
from pipelines.records import ServedModel
from pipelines.registration import open_pipeline
from tasks.registry import deploy_champion
from tasks.serving import confirm_serving


@flow(name="deploy", flow_run_name="deploy-{pipeline}")
def deploy(pipeline: str, version: int | None = None, reason: str = "chosen by hand") -> ServedModel:
    """Make a registered version champion and serve it; without a version, serve the ledger's champion.

    Args:
        pipeline: name of a known pipeline, or the path of its pipeline.yaml.
        version: number of a registered version.
        reason: why, in words, for the history.
    """
    home = Home.at()
    config = open_pipeline(home, pipeline)
    if version is not None:
        choose_version(home, config.pipeline, version, reason)
    served = deploy_champion(home, config.pipeline)
    confirm_serving(served)
    return served


@flow(name="rollback", flow_run_name="rollback-{pipeline}")
def rollback(pipeline: str, reason: str = "rolled back by hand") -> ServedModel:
    """Go back to the champion before this one.

    Args:
        pipeline: name of a known pipeline, or the path of its pipeline.yaml.
        reason: why, in words, for the history.
    """
    home = Home.at()
    config = open_pipeline(home, pipeline)
    choose_version(home, config.pipeline, previous_version(home, config.pipeline), reason)
    served = deploy_champion(home, config.pipeline)
    confirm_serving(served)
    return served
