"""From an attempt to its page, under the pipeline's reports."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pipelines.cards.publish import card_page
from pipelines.clock import now
from pipelines.errors import UsageError, writing
from pipelines.files import write_whole
from pipelines.home import Home
from pipelines.ledger import Ledger
from pipelines.records import Evaluation, GateVerdict, Snapshot, StoredAttempt, TrainOutcome
from pipelines.registration import open_pipeline
from pipelines.registry.mlflow_store import run_address
from pipelines.reporting import words
from pipelines.reporting.links import relative
from pipelines.reporting.model.page import render_model
from pipelines.reporting.model.story import Fact, ModelStory
from pipelines.training.folder import AttemptFolder


def model_page(home: Home, pipeline: str, attempt: str) -> Path:
    """Where the page of an attempt lies, once it was evaluated."""
    return (home.pipeline(pipeline).reports / "models" / f"{attempt}.html").absolute()


def write_model(
    home: Home,
    evaluation: Evaluation,
    verdicts: list[GateVerdict],
    outcome: TrainOutcome,
    output: Path | None = None,
) -> Path:
    """Write the page of an attempt that was evaluated, in full or not at all; its path."""
    path = (output or model_page(home, outcome.pipeline, evaluation.attempt)).absolute()
    story = tell_story(home, evaluation, verdicts, outcome)
    card = card_page(home, outcome.pipeline, story.version) if story.version is not None else None
    page = render_model(story.model_copy(update={"card": relative(card, path.parent) if card else None}))
    with writing("the page", path.parent, "nothing else was changed"):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, page)
    return path


def write_version(home: Home, pipeline: str, version: int, output: Path | None = None) -> Path:
    """Write the page of a registered version anew, with what became of it since; its path.

    Raises UsageError where there is no such version, or its evaluation was cleared away.
    """
    name, ledger = open_pipeline(home, pipeline).pipeline, Ledger.open(home)
    made = ledger.version(name, version)
    evaluation, outcome = AttemptFolder.of(made.attempt).read_evaluation(), made.outcome
    if evaluation is not None and outcome is not None:
        return write_model(home, evaluation, outcome.gates, outcome, output)
    page = model_page(home, name, made.id)
    if output is None and page.exists():
        return page
    raise UsageError(
        f"What was measured of version {version} of {name} is not there any more: attempt {made.id} has no"
        " evaluation in its folder.",
        "MLflow has the page as the artifact report.html of the version's run.",
    )


def tell_story(
    home: Home, evaluation: Evaluation, verdicts: list[GateVerdict], outcome: TrainOutcome
) -> ModelStory:
    """What the ledger knows of an attempt, beside what was measured."""
    ledger, pipeline = Ledger.open(home), outcome.pipeline
    stored = ledger.attempt(evaluation.attempt)
    promotions = [one for one in ledger.promotions(pipeline) if one.attempt == evaluation.attempt]
    run = str(outcome.model.get("run_id", ""))
    cause = ledger.cause(outcome.cause) if outcome.cause else None
    return ModelStory(
        pipeline=pipeline,
        evaluation=evaluation,
        gates=verdicts,
        generated=now(),
        version=stored.version if stored else None,
        promotion=promotions[-1] if promotions else None,
        waiting=outcome.status == "awaiting_approval",
        cost=outcome.cost or (stored.cost if stored else None),
        seconds=outcome.seconds,
        facts=[
            *model_facts(evaluation, stored.config if stored else {}),
            *data_facts(evaluation, stored, outcome),
            *([Fact(name="cause", value=f"{cause.kind}: {cause.reason}")] if cause else []),
            *code_facts(stored.environment if stored else {}),
        ],
        warnings=outcome.warnings,
        run=(run_address(home, pipeline, run) or run) if run else None,
    )


# -------------------------------------------------------------------------------------------------- facts


def model_facts(evaluation: Evaluation, config: dict[str, Any]) -> list[Fact]:
    """What was trained, and on which question."""
    kind = evaluation.kind or config.get("model", {}).get("kind", "")
    found = [Fact(name="attempt", value=evaluation.attempt, code=True)]
    found += [Fact(name="model", value=kind)] if kind else []
    if target := config.get("data", {}).get("target"):
        found.append(
            Fact(name="question", value=f"{evaluation.task}: {target}, judged by {evaluation.metric}")
        )
    if changes := evaluation.signature_changes:
        said = ", ".join(f"{column} {change}" for column, change in changes.items())
        found.append(Fact(name="columns since the champion", value=said))
    return found


def data_facts(evaluation: Evaluation, stored: StoredAttempt | None, outcome: TrainOutcome) -> list[Fact]:
    """From which rows."""
    found = snapshot_facts(stored.attempt.snapshot) if stored else []
    counts = [
        (name, outcome.dataset.get(name)) for name in ("read", "known", "accepted", "quarantined", "refused")
    ]
    said = ", ".join(f"{count:,} {name}" for name, count in counts if isinstance(count, int))
    found += [Fact(name="last batch", value=said)] if said else []
    split = stored.config.get("split", {}) if stored else {}
    if split:
        shares = ", ".join(f"{split[part]:.0%} {part}" for part in ("validation", "test") if part in split)
        how = "at random" if split.get("by") == "random" else f"by {split.get('by')}"
        found.append(Fact(name="split", value=f"{how}: {shares}"))
    if evaluation.newest:
        found.append(Fact(name="newest row", value=words.moment(evaluation.newest)))
    return found


def snapshot_facts(snapshot: Snapshot) -> list[Fact]:
    return [
        Fact(name="snapshot", value=f"{snapshot.id}, {snapshot.rows:,} rows"),
        Fact(name="fingerprint", value=snapshot.fingerprint, code=True),
    ]


def code_facts(environment: dict[str, Any]) -> list[Fact]:
    """With which code."""
    found = []
    if commit := environment.get("commit"):
        found.append(Fact(name="code", value=commit, code=True))
    packages = {"python": environment.get("python"), **environment.get("packages", {})}
    if said := ", ".join(f"{name} {version}" for name, version in packages.items() if version):
        found.append(Fact(name="packages", value=said))
    return found
