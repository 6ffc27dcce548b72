"""A person decides which version is in production."""

from __future__ import annotations

from prefect import flow

from pipelines.home import Home
from pipelines.records import Promotion
from pipelines.registration import open_pipeline
from tasks.publishing import publish_decisions
from tasks.registry import choose_version, restore_champion, roll_back


@flow(name="deploy", flow_run_name="deploy-{pipeline}")
def deploy(
    pipeline: str, version: int | None = None, reason: str | None = None, by: str | None = None
) -> Promotion | None:
    """Make a registered version champion and serve it; without a version, make all follow the champion again.

    None where there is no champion, and the alias that somebody gave in MLflow is taken back.

    Args:
        pipeline: name of a known pipeline, or the path of its pipeline.yaml.
        version: number of a registered version.
        reason: why, in words, for the history.
        by: the person who decides, for the history.
    """
    home = Home.at()
    config = open_pipeline(home, pipeline)
    if version is None:
        champion = restore_champion(home, config.pipeline, reason, by)
    else:
        champion = choose_version(home, config, version, reason, by)
    publish_decisions(home, config.pipeline)
    return champion


@flow(name="rollback", flow_run_name="rollback-{pipeline}")
def rollback(
    pipeline: str, version: int | None = None, reason: str | None = None, by: str | None = None
) -> Promotion:
    """Go back to the champion before this one, or to any earlier one.

    Args:
        pipeline: name of a known pipeline, or the path of its pipeline.yaml.
        version: number of an earlier champion.
        reason: why, in words, for the history.
        by: the person who decides, for the history.
    """
    home = Home.at()
    config = open_pipeline(home, pipeline)
    champion = roll_back(home, config, version, reason, by)
    publish_decisions(home, config.pipeline)
    return champion
