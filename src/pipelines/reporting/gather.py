"""From the ledger to the page."""

from __future__ import annotations

from pathlib import Path

from pipelines.cards.publish import card_page, write_card
from pipelines.clock import now
from pipelines.costs import promotion_costs
from pipelines.errors import writing
from pipelines.evaluation.metrics import higher_is_better
from pipelines.files import write_whole
from pipelines.home import Home
from pipelines.ledger import Ledger
from pipelines.records import Intake, StoredAttempt
from pipelines.registration import open_pipeline
from pipelines.reporting.links import relative
from pipelines.reporting.model.gather import model_page
from pipelines.reporting.page import render_report
from pipelines.reporting.story import AttemptLine, BatchLine, Story
from pipelines.training.folder import AttemptFolder
from pipelines.training.trials import read_trials


def write_report(home: Home, pipeline: str, output: Path | None = None) -> Path:
    """Write the page of a pipeline, under the home folder unless told otherwise; its path."""
    config, ledger = open_pipeline(home, pipeline), Ledger.open(home)
    path = (output or home.pipeline(config.pipeline).reports / "report.html").absolute()
    attempts, champions = ledger.attempts(config.pipeline), ledger.champions(config.pipeline)
    for one in attempts:
        if one.version is not None:
            write_card(home, config, one.version)
    causes = ledger.causes(config.pipeline)
    reasons = {cause.id: cause.reason for cause in causes}
    story = Story(
        pipeline=config.pipeline,
        metric=config.metric,
        higher_is_better=higher_is_better(config.metric),
        windows=ledger.windows(config.pipeline),
        attempts=[attempt_line(home, one, reasons, path.parent) for one in attempts],
        batches=[batch_line(home, intake, path.parent) for intake in ledger.intakes(config.pipeline)],
        champions=champions,
        costs=promotion_costs(attempts, champions),
        causes=causes,
        audit=relative(home.pipeline(config.pipeline).reports / "audit.html", path.parent),
        generated=now(),
    )
    page = render_report(story)
    with writing("the page", path.parent, "the model cards were written anew, nothing else was changed"):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, page)
    return path


def batch_line(home: Home, intake: Intake, folder: Path) -> BatchLine:
    """One batch as the page in `folder` shows it."""
    batch = intake.batch
    page = home.pipeline(batch.pipeline).validation_page(batch.id)
    return BatchLine(
        id=batch.id,
        created=intake.created,
        state=intake.state,
        sources=[source.uri for source in batch.sources],
        counts=intake.counts,
        snapshot=None if intake.version is None else f"{batch.pipeline}@{intake.version}",
        refused=intake.report.refused if intake.report else None,
        link=relative(page, folder),
    )


def attempt_line(home: Home, stored: StoredAttempt, reasons: dict[str, str], folder: Path) -> AttemptLine:
    """One attempt as the page in `folder` shows it."""
    attempt, outcome = stored.attempt, stored.outcome
    card = relative(card_page(home, attempt.pipeline, stored.version), folder) if stored.version else None
    return AttemptLine(
        id=attempt.id,
        started=stored.started,
        status=outcome.status if outcome else "unfinished",
        cause=reasons.get(stored.cause or "", ""),
        cause_id=stored.cause,
        snapshot=attempt.snapshot.id,
        version=stored.version,
        metrics=outcome.metrics if outcome else {},
        gates=outcome.gates if outcome else [],
        seconds=sum(outcome.seconds.values()) if outcome else 0.0,
        failure=outcome.reason if outcome else None,
        link=relative(model_page(home, attempt.pipeline, attempt.id), folder),
        card=card,
        cost=stored.cost,
        trials=read_trials(AttemptFolder.of(attempt).trials),
    )
