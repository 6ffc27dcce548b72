"""Reads the evidence: the ledger, the attempts' folders, the prediction log. Nothing is judged here."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from pydantic import ValidationError

from pipelines.audit.evidence import Evidence, JudgedBatch, VersionEvidence
from pipelines.audit.reproductions import read_reproductions
from pipelines.clock import now
from pipelines.config import PipelineConfig, place_in
from pipelines.data.tracing import count_predictions
from pipelines.home import Home
from pipelines.ledger import Ledger
from pipelines.ledger.audit import AuditEntry
from pipelines.models.bundle import read_description
from pipelines.records import Intake, StoredAttempt
from pipelines.training.folder import AttemptFolder
from pipelines.training.trials import read_trials

MOST_BATCHES = 50  # the newest; whether checks run is seen from a few
# Keys of the definition that answers point to.
KEYS = ("columns", "gates", "retraining")


def gather_evidence(home: Home, config: PipelineConfig) -> Evidence:
    """All that is stored of a pipeline and that the tests ask for."""
    name, ledger = config.pipeline, Ledger.open(home)
    log = ledger.audit_log(name)
    file = ledger.definition(name)
    policy = [*config.retraining.when, *filter(None, [config.retraining.schedule])]
    made = [one for one in ledger.attempts(name) if one.version is not None]
    evidence = Evidence(
        pipeline=name,
        gathered=now(),
        places={".".join(keys): place_in(Path(file), keys) for keys in keys_of(config)},
        reviews=config.audit.reviews,
        declared=[*config.feature_columns, *filter(None, [config.data.timestamp])],
        retrains=policy,
        batches=[judged_batch(home, one) for one in ledger.intakes(name) if one.report][-MOST_BATCHES:],
        versions=sorted((gather_version(ledger, one) for one in made), key=lambda one: one.version),
        promotions=ledger.promotions(name),
        windows=ledger.windows(name),
        taken_back=taken_back(log),
        reproductions=read_reproductions(log),
        predictions=count_predictions(home, name),
    )
    return with_measured(evidence)


def keys_of(config: PipelineConfig) -> list[tuple[str, ...]]:
    """The keys of a definition that answers point to, each as the way to it."""
    return [*((key,) for key in KEYS), *(("audit", "reviews", name) for name in config.audit.reviews)]


def taken_back(log: Iterable[AuditEntry]) -> list[int]:
    """The promotions that were undone after their version had been put to the service, by their number."""
    served, found = set[int | None](), []
    for entry in log:
        if entry.kind == "promotion begun":
            served = set()
        elif entry.kind == "serving changed":
            served.add(entry.body["to"])
        elif entry.kind == "promotion reverted" and entry.body["version"] in served:
            found.append(int(entry.body["seq"]))
    return found


def with_measured(evidence: Evidence) -> Evidence:
    """The same, with what lies in the folders of the champion and of the one before it."""
    asked = {v.version for v in (evidence.champion, evidence.before) if v}
    found = [with_folder(v) if v.version in asked else v for v in evidence.versions]
    return evidence.model_copy(update={"versions": found})


def judged_batch(home: Home, intake: Intake) -> JudgedBatch:
    assert intake.report is not None  # noqa: S101  (the caller asked)
    page = home.pipeline(intake.batch.pipeline).validation_page(intake.batch.id)
    return JudgedBatch(report=intake.report, page=str(page) if page.exists() else None)


def gather_version(ledger: Ledger, made: StoredAttempt) -> VersionEvidence:
    """What the ledger has of a registered version, made by an attempt."""
    assert made.version is not None  # noqa: S101  (the caller asked)
    assert made.trained is not None  # noqa: S101  (it is stored with the version)
    return VersionEvidence(
        version=made.version,
        kind=made.trained.kind,
        attempt=made.attempt,
        started=made.started,
        config=made.config,
        environment=made.environment,
        outcome=made.outcome,
        cause=ledger.cause(made.cause) if made.cause else None,
        cost=made.cost,
        reigns=[one for one in ledger.promotions(made.pipeline) if one.version == made.version],
    )


def with_folder(version: VersionEvidence) -> VersionEvidence:
    """The same, with what lies in the attempt's folder; where that was cleared away, without."""
    folder = AttemptFolder.of(version.attempt)
    losses: dict[str, list[float]] = {}
    for row in folder.read_epochs():
        losses.setdefault(row["model"], []).append(row["loss"])
    return version.model_copy(
        update={
            "inputs": read_inputs(folder.bundle),
            "trials": len(read_trials(folder.trials)),
            "losses": losses.get(f"{version.kind} tuned") or losses.get(version.kind, []),
            "evaluation": folder.read_evaluation(),
        }
    )


def read_inputs(bundle: Path) -> list[str]:
    """The columns that a model reads, none where its files are gone or of another form."""
    try:
        return list(read_description(bundle).types)
    except (OSError, ValidationError):
        return []
