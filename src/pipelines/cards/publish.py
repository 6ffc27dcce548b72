"""Writes a version's card: under the pipeline's reports, and in MLflow beside the model."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from pipelines.audit.reproductions import read_reproductions
from pipelines.cards.card import ModelCard, gather_card
from pipelines.cards.render import render_markdown, render_page, render_short
from pipelines.config import PipelineConfig
from pipelines.errors import EvergreenError
from pipelines.files import write_whole
from pipelines.home import Home
from pipelines.ledger import Ledger
from pipelines.progress import log
from pipelines.registration import open_pipeline
from pipelines.registry.card_log import log_card
from pipelines.training.folder import AttemptFolder


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
    """`write_card`, and the same in MLflow; that MLflow does not take it is said, and stops nobody.

    Raises StackError, the card written, where MLflow does not answer: it is still to be sent.
    """
    card = gather_card(home, config, version)
    page, outcome = keep_card(home, card), card.version.outcome
    run_id = str(outcome.model.get("run_id", "")) if outcome else ""
    complaint = log_card(home, config.pipeline, version, run_id, page, render_short(card))
    if complaint:
        log.warning("The card of version %d is %s, but not in MLflow: %s", version, page, complaint)
    read = card.written.replace(tzinfo=UTC).timestamp()
    sent_mark(page).touch()
    os.utime(sent_mark(page), (read, read))  # what is decided while it is written is later
    return page


def sent_mark(page: Path) -> Path:
    """A file as old as what MLflow was last told by a card; a report writes cards, too, and sends none."""
    return page.with_suffix(".sent")


def publish_cards(home: Home, pipeline: str) -> list[Path]:
    """Write anew, here and in MLflow, the cards that are older than what they tell of; their pages.

    That one cannot be written, as where the definition is gone, is said, and stops nobody.
    """
    pages = []
    for version in stale_cards(home, pipeline):
        try:
            pages.append(publish_card(home, open_pipeline(home, pipeline), version))
        except (EvergreenError, OSError, ValueError) as error:  # the last of files of another form
            log.warning("The card of version %d of %s is not up to date: %s", version, pipeline, error)
    return pages


def stale_cards(home: Home, pipeline: str) -> list[int]:
    """Versions that were measured, or decided about, after their card was sent, or whose card is gone."""
    latest: dict[int, datetime] = {}
    for version, moment in told_of(Ledger.open(home), pipeline):
        latest[version] = max(moment, latest.get(version, moment))
    pages = {one: card_page(home, pipeline, one) for one in sorted(latest)}
    return [
        one for one, page in pages.items() if not page.exists() or latest[one] >= file_time(sent_mark(page))
    ]


def told_of(ledger: Ledger, pipeline: str) -> Iterator[tuple[int, datetime]]:
    """Versions, and when there was something to tell of them: in UTC, in no order."""
    for promotion in ledger.promotions(pipeline):
        yield promotion.version, promotion.settled or promotion.since
    for reign in ledger.champions(pipeline):
        yield reign.version, reign.until or reign.since
    for request in ledger.approvals(pipeline=pipeline):
        yield request.promotion.version, request.decided or request.requested
    for again in read_reproductions(ledger.audit_log(pipeline)):
        yield again.version, again.time
    for one in ledger.attempts(pipeline):
        if one.version is not None:
            yield one.version, file_time(AttemptFolder.of(one.attempt).evaluation)


def file_time(path: Path) -> datetime:
    """When a file was written, in UTC without a zone; the beginning of time where there is none."""
    moment = path.stat().st_mtime if path.exists() else 0.0
    return datetime.fromtimestamp(moment, UTC).replace(tzinfo=None)
