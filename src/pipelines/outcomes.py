"""The end of a training run: what to answer, and the same in the ledger."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager

from pipelines.clock import now
from pipelines.config import PipelineConfig
from pipelines.costs import describe_cost, settle_cost
from pipelines.home import Home
from pipelines.ledger import Ledger
from pipelines.progress import log
from pipelines.records import (
    Attempt,
    Batch,
    Cause,
    Evaluation,
    GateVerdict,
    ModelVersion,
    Promotion,
    Snapshot,
    TrainOutcome,
    ValidationReport,
    count_rows,
)
from pipelines.training.provenance import describe_environment


def open_cause(home: Home, pipeline: str, cause: str | None, reason: str | None) -> Cause:
    """The stored cause of a run: the one an event names, else a new one for the person who started it."""
    ledger = Ledger.open(home)
    found = ledger.cause(cause) if cause else None
    if found is not None:
        return found
    created = now()
    words = reason or "started by hand"
    key = hashlib.sha256(f"{pipeline} {cause} {words} {created.isoformat()}".encode()).hexdigest()[:12]
    new = Cause(
        id=cause or key, pipeline=pipeline, kind="person", reason=words, version=None, created=created
    )
    ledger.add_cause(new)
    return new


def stale_reason(home: Home, cause: Cause) -> str | None:
    """Why a cause no longer holds: it was said of a model that is not the champion any more."""
    champion = Ledger.open(home).champion(cause.pipeline)
    if cause.version is None or champion is None or champion.version == cause.version:
        return None
    return (
        f"Cause {cause.id} was said of version {cause.version}; now version {champion.version} is champion."
    )


def refuse_stale(cause: Cause, stale: str) -> TrainOutcome:
    return TrainOutcome(status="refused", pipeline=cause.pipeline, cause=cause.id, warnings=[stale])


def describe_dataset(batch: Batch, report: ValidationReport, snapshot: Snapshot) -> dict[str, str | int]:
    """What a run was trained on, and where the rows went that it read; `rows` are the snapshot's."""
    counts = count_rows(batch, report)
    return {
        "id": snapshot.id,
        "version": snapshot.version,
        "rows": snapshot.rows,
        **counts.model_dump(),
    }


def open_attempt(config: PipelineConfig, home: Home, attempt: Attempt) -> None:
    """Store an attempt as started, unless it is; of the definition all but passwords."""
    kept = config.without_secrets().model_dump(mode="json")
    Ledger.open(home).start_attempt(attempt, kept, describe_environment())


STOPPED = "Stopped: cancelled or interrupted."


@contextmanager
def accounted(config: PipelineConfig, home: Home, attempt: Attempt) -> Iterator[None]:
    """Around a training: what it cost is kept, however it ends, and where it fails, that and why."""
    open_attempt(config, home, attempt)
    try:
        yield
    except BaseException as error:
        # Prefect's cancel and Ctrl-C are no Exception.
        note_failure(home, attempt, str(error) if isinstance(error, Exception) else STOPPED)
        raise
    log.info("Attempt %s is trained: %s", attempt.id, describe_cost(settle_cost(home, attempt.id)))


def note_failure(home: Home, attempt: Attempt, reason: str) -> None:
    """Store that an attempt ended without a model, and what it cost; what was known of a good end stays."""
    ledger = Ledger.open(home)
    cost, before = settle_cost(home, attempt.id), ledger.outcome(attempt.id)
    if before is None or before.status == "failed":
        ledger.finish_attempt(
            TrainOutcome(
                status="failed",
                pipeline=attempt.pipeline,
                attempt=attempt.id,
                cause=attempt.cause,
                reason=reason,
                cost=cost,
            )
        )


def note_stopped(home: Home, attempt_id: str) -> None:
    """Store that an attempt was ended because its run was cancelled."""
    stored = Ledger.open(home).attempt(attempt_id)
    if stored is not None:
        note_failure(home, stored.attempt, STOPPED)


def known_outcome(
    home: Home, attempt: Attempt, batch: Batch, report: ValidationReport
) -> TrainOutcome | None:
    """The outcome of the same attempt if it was promoted before; what it says of the data is of this run."""
    outcome = Ledger.open(home).outcome(attempt.id)
    if outcome is None or outcome.status != "promoted":
        return None  # a verdict against one champion is none against the next
    words = (
        "The same data and definition were tried before (promoted); nothing was trained again."
        " What `evaluation` asks for since then is measured with the next rows."
    )
    return outcome.model_copy(
        update={
            "status": "reused",
            "warnings": [*batch.warnings, *report.warnings, words],
            "cause": attempt.cause,
            "dataset": describe_dataset(batch, report, attempt.snapshot),
        }
    )


def describe_outcome(
    attempt: Attempt,
    batch: Batch,
    report: ValidationReport,
    evaluation: Evaluation,
    verdicts: list[GateVerdict],
    run_id: str,
) -> TrainOutcome:
    """What was found, before anything is decided."""
    compared = evaluation.comparison
    return TrainOutcome(
        status="inconclusive",
        pipeline=attempt.pipeline,
        attempt=attempt.id,
        dataset=describe_dataset(batch, report, attempt.snapshot),
        model={"name": attempt.pipeline, "run_id": run_id},
        metrics=evaluation.metrics,
        champion_metrics=compared.champion_metrics if compared else None,
        compared_rows=compared.rows if compared else None,
        compared_metrics=compared.beside if compared else {},
        gates=verdicts,
        cause=attempt.cause,
        warnings=[*batch.warnings, *report.warnings, *without_champion(evaluation)],
    )


def warned(outcome: TrainOutcome, notice: str | None) -> TrainOutcome:
    """The outcome, which warns of what was noticed of the pipeline first: an alias that somebody moved."""
    return outcome.model_copy(update={"warnings": [notice, *outcome.warnings]}) if notice else outcome


def without_champion(evaluation: Evaluation) -> list[str]:
    """That there was a champion which could not be compared, and why."""
    found = evaluation.no_comparison
    words = "Judged against the baseline alone: the champion, version {}, cannot answer: {}"
    return [words.format(found.champion_version, found.reason)] if found else []


def keep_out(home: Home, outcome: TrainOutcome, verdict: str, seconds: dict[str, float]) -> TrainOutcome:
    """The challenger stays out; the champion serves on."""
    status = "rejected" if verdict == "fail" else "inconclusive"
    return close_attempt(home, outcome.model_copy(update={"status": status, "seconds": seconds}))


def mark_promoted(outcome: TrainOutcome, version: ModelVersion) -> TrainOutcome:
    """The outcome that is stored together with the promotion."""
    model = {"name": version.name, "version": version.version, "run_id": version.run_id}
    return outcome.model_copy(update={"status": "promoted", "model": model})


def close_promotion(home: Home, promotion: Promotion, seconds: dict[str, float]) -> TrainOutcome:
    """What became of the challenger, as it is stored with its promotion; how long it took is known now."""
    cost = settle_cost(home, promotion.attempt)
    return Ledger.open(home).measure_attempt(promotion.attempt, seconds, cost)


def close_attempt(home: Home, outcome: TrainOutcome) -> TrainOutcome:
    """Store the last word on an attempt, with its cost."""
    cost = settle_cost(home, outcome.attempt) if outcome.attempt else None
    final = outcome.model_copy(update={"cost": cost})
    Ledger.open(home).finish_attempt(final)
    return final


def plan_promotion(
    config: PipelineConfig,
    version: ModelVersion,
    evaluation: Evaluation,
    cause: Cause,
    verdicts: list[GateVerdict],
) -> Promotion:
    """The promotion that the gates allow, against the champion that they compared with."""
    passed = ", ".join(v.name for v in verdicts)
    why = f"{cause.reason}; passed {passed}: {config.metric} {evaluation.metrics[config.metric]:.4g}"
    why = "; ".join([why, *without_champion(evaluation)])
    return Promotion(
        pipeline=config.pipeline,
        seq=0,  # the ledger gives the number
        version=version.version,
        previous=evaluation.champion_version,
        attempt=version.attempt,
        cause=cause.id,
        why=why,
        since=now(),
    )
