"""Where Prefect itself is the work: artifacts, links and events."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, cast

from prefect import task

from pipelines.home import Home
from pipelines.records import Batch, Cause, Evaluation, GateVerdict, TrainOutcome, ValidationReport
from tasks.policies import NO_CACHE, READ_AGAIN

if TYPE_CHECKING:
    from prefect.artifacts import Artifact

RETRAIN_EVENT = "evergreen.retrain"


def resource_id(pipeline: str) -> str:
    """What events of a pipeline are about; triggers match it."""
    return f"evergreen.pipeline.{pipeline}"


@task(task_run_name="publish-{key}", cache_policy=NO_CACHE)
def publish(key: str, markdown: str, description: str) -> None:
    """Show a page of Markdown with the run."""
    from prefect.artifacts import create_markdown_artifact

    create_markdown_artifact(
        markdown=markdown, key=re.sub(r"[^a-z0-9-]+", "-", key.lower()), description=description
    )


@task(task_run_name="publish-{batch.pipeline}-validation", cache_policy=NO_CACHE)
def publish_validation(home: Home, batch: Batch, report: ValidationReport) -> Path:
    """Write the page of a batch's validation, and show it with the run; the page's path."""
    from prefect.artifacts import create_link_artifact, create_markdown_artifact

    from pipelines.validation.page import write_page
    from pipelines.validation.report import render_validation

    page, key = write_page(home, batch, report), f"{batch.pipeline}-validation"
    text = render_validation(batch, report, page)
    create_markdown_artifact(markdown=text, key=key, description="What the checks found")
    create_link_artifact(
        link=page.as_uri(), link_text=str(page), key=f"{key}-page", description="The whole report, as a page"
    )
    return page


@task(
    task_run_name="publish-{outcome.pipeline}-gates",
    retries=2,
    retry_delay_seconds=READ_AGAIN,
    cache_policy=NO_CACHE,
)
def publish_judgment(
    home: Home, evaluation: Evaluation, verdicts: list[GateVerdict], outcome: TrainOutcome
) -> Path:
    """Write the page of a model that was judged, and show it with the run, here and in MLflow; its path."""
    from prefect.artifacts import create_link_artifact, create_markdown_artifact

    from pipelines.evaluation.report import render_judgment
    from pipelines.registry.mlflow_store import run_link
    from pipelines.registry.run_log import log_report
    from pipelines.reporting.model.gather import write_model

    page, run = write_model(home, evaluation, verdicts, outcome), str(outcome.model["run_id"])
    log_report(home, run, page)
    text = render_judgment(evaluation, verdicts, outcome, run_link(home, outcome.pipeline, run))
    about = "Metrics and verdicts of the gates"
    create_markdown_artifact(markdown=text, key=f"{outcome.pipeline}-gates", description=about)
    create_link_artifact(
        link=page.as_uri(),
        link_text=str(page),
        key=f"{outcome.pipeline}-model-page",
        description="The whole report on the model, as a page",
    )
    return page


@task(
    task_run_name="publish-{pipeline}-decisions",
    retries=2,
    retry_delay_seconds=READ_AGAIN,
    cache_policy=NO_CACHE,
)
def publish_decisions(home: Home, pipeline: str) -> list[Path]:
    """Make all that people look at say what the ledger says: MLflow's alias `challenger`, cards, what waits.

    Called after whatever decides, and by the maintenance flow for who did not come so far; the cards' pages.
    """
    from prefect.artifacts import Artifact, create_markdown_artifact

    from pipelines.cards.publish import publish_cards
    from pipelines.ledger import Ledger
    from pipelines.promotion.aliases import follow_challenger
    from pipelines.promotion.approval import render_approvals

    follow_challenger(home, pipeline)
    pages = publish_cards(home, pipeline)
    key, text = f"{pipeline}-approval", render_approvals(Ledger.open(home).approvals(pipeline=pipeline))
    shown = cast("Artifact | None", Artifact.get(key)) if text else None
    if text and (shown is None or shown.data != text):
        create_markdown_artifact(markdown=text, key=key, description="What waits for a person")
    return pages


@task(task_run_name="signal", retries=2, retry_delay_seconds=[1, 3], cache_policy=NO_CACHE)
def send_causes(home: Home, pipeline: str | None = None) -> list[str]:
    """Tell Prefect of every stored cause that it has not heard of, and note that it has; the ids sent.

    The event is posted, not emitted in the background: its arrival is what counts. Without a server the
    causes stay stored, and the maintenance flow sends them later.
    """
    import httpx
    from prefect.settings import get_current_settings

    from pipelines.ledger import Ledger

    ledger, api = Ledger.open(home), get_current_settings().api.url
    waiting = ledger.causes(pipeline, unsent=True)
    if not api:
        return []
    for cause in waiting:
        httpx.post(f"{api}/events", json=[retrain_event(cause)], timeout=10).raise_for_status()
        ledger.mark_sent(cause.id)
    return [cause.id for cause in waiting]


def retrain_event(cause: Cause) -> dict[str, object]:
    """The event that asks for a training; its id is the cause's, so a repeated one is the same event."""
    import uuid
    from datetime import UTC, datetime

    return {
        "id": str(uuid.uuid5(uuid.NAMESPACE_URL, f"evergreen:{cause.id}")),
        "event": RETRAIN_EVENT,
        "occurred": datetime.now(UTC).isoformat(),
        "resource": {
            "prefect.resource.id": resource_id(cause.pipeline),
            "prefect.resource.name": cause.pipeline,
        },
        "payload": {"cause": cause.id, "kind": cause.kind, "reason": cause.reason, "version": cause.version},
    }
