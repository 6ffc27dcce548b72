"""Writes a version's card: under the pipeline's reports, and in MLflow beside the model."""

from __future__ import annotations

from pathlib import Path

from pipelines.cards.card import ModelCard, gather_card
from pipelines.cards.render import render_markdown, render_page, render_short
from pipelines.config import PipelineConfig
from pipelines.home import Home
from pipelines.progress import log
from pipelines.registry.card_log import log_card
from pipelines.training.folder import write_whole


def card_page(home: Home, pipeline: str, version: int) -> Path:
    """Where the card of a version lies as HTML; Markdown lies beside it."""
    return home.pipeline(pipeline).reports / "cards" / f"{version}.html"


def write_card(home: Home, config: PipelineConfig, version: int) -> Path:
    """Write the card of a version from what is stored now; its page. Raises UsageError for an unknown one."""
    return keep_card(home, gather_card(home, config, version))


def keep_card(home: Home, card: ModelCard) -> Path:
    page = card_page(home, card.pipeline, card.version.version)
    page.parent.mkdir(parents=True, exist_ok=True)
    write_whole(page.with_suffix(".md"), render_markdown(card))
    write_whole(page, render_page(card))
    return page


def publish_card(home: Home, config: PipelineConfig, version: int) -> Path:
    """`write_card`, and the same in MLflow; that MLflow does not take it is said, and stops nobody."""
    card = gather_card(home, config, version)
    page, outcome = keep_card(home, card), card.version.outcome
    run_id = str(outcome.model.get("run_id", "")) if outcome else ""
    complaint = log_card(home, config.pipeline, version, run_id, page, render_short(card))
    if complaint:
        log.warning("The card of version %d is %s, but not in MLflow: %s", version, page, complaint)
    return page
