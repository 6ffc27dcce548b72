"""From new rows to a champion, if the evidence says so. Retraining is this flow with a cause."""

from __future__ import annotations

from prefect import flow

from pipelines.clock import now
from pipelines.config import PipelineConfig
from pipelines.evaluation.own import find_gates
from pipelines.evaluation.slices import check_conditions
from pipelines.gates import judge, overall
from pipelines.home import Home
from pipelines.lock import one_at_a_time
from pipelines.outcomes import (
    close_promotion,
    describe_outcome,
    keep_out,
    known_outcome,
    mark_promoted,
    open_cause,
    plan_promotion,
    refuse_stale,
    stale_reason,
    warned,
)
from pipelines.progress import Stopwatch
from pipelines.promotion.champion import champion_to_beat
from pipelines.records import Promotion, TrainOutcome
from pipelines.registration import open_pipeline
from pipelines.training.attempts import plan_attempt
from pipelines.training.processes import warm_driver
from tasks.approval import request_approval
from tasks.data import accept_batch, stage_batch
from tasks.evaluation import evaluate_model, keep_reference
from tasks.publishing import publish_decisions, publish_judgment, publish_validation
from tasks.registry import challenge, log_attempt, register_version, settle_pipeline
from tasks.training import fit_model
from tasks.validation import validate_batch


@flow(name="training", flow_run_name="train-{pipeline}", log_prints=False)
def training(
    pipeline: str, data: str | None = None, reason: str | None = None, cause: str | None = None
) -> TrainOutcome:
    """Train a challenger on all accepted rows and promote it if it passes the gates.

    Args:
        pipeline: name of a known pipeline, or the path of its pipeline.yaml.
        data: a file, folder or glob to add to the pipeline's data first; its own source is always read.
        reason: why this run was started, in words, for the history.
        cause: id of the stored cause that asked for this run; events carry it.
    """
    home, watch = Home.at(), Stopwatch()
    config = open_pipeline(home, pipeline)
    own_gates = find_gates(config)  # a mistake there, or in a slice, is answered before anything is trained
    check_conditions(config)
    why = open_cause(home, config.pipeline, cause, reason)
    with one_at_a_time(home, config.pipeline), warm_driver():  # its imports pass while rows are read
        notice = settle_pipeline(home, config.pipeline)
        if stale := stale_reason(home, why):
            return warned(refuse_stale(why, stale), notice)
        # data ------------------------------------------------------------------------------------
        batch = stage_batch(config, home, [data] if data else [])
        watch.lap("ingest")
        report = validate_batch(config, home, batch)
        publish_validation(home, batch, report)
        watch.lap("validate")
        snapshot = accept_batch(home, batch, report)
        watch.lap("snapshot")
        # model -----------------------------------------------------------------------------------
        attempt = plan_attempt(config, home, snapshot, why.id)
        if known := known_outcome(home, attempt, batch, report):
            return warned(known, notice)
        trained = fit_model(config, home, attempt)
        watch.lap("train")
        closed = None
        while closed is None:  # once more where another became champion since: against that one
            # judgment ----------------------------------------------------------------------------
            evaluation = evaluate_model(config, attempt, trained, champion_to_beat(home, config.pipeline))
            verdicts = judge(evaluation, config.gates, now(), own_gates)
            watch.lap("evaluate")
            run_id = log_attempt(config, home, trained, attempt, evaluation, verdicts)
            outcome = warned(describe_outcome(attempt, batch, report, evaluation, verdicts, run_id), notice)
            publish_judgment(home, evaluation, verdicts, outcome)
            watch.lap("log")
            if (verdict := overall(verdicts)) != "pass":
                closed = keep_out(home, outcome, verdict, watch.seconds)
                break
            # promotion ---------------------------------------------------------------------------
            keep_reference(config, attempt, trained)
            version = register_version(home, run_id, attempt, trained)
            row = plan_promotion(config, version, evaluation, why, verdicts)
            settled = promote_or_ask(config, home, row, mark_promoted(outcome, version))
            watch.lap("deploy")
            closed = close_promotion(home, row, watch.seconds) if settled else None
        publish_decisions(home, config.pipeline)
        return closed


def promote_or_ask(config: PipelineConfig, home: Home, row: Promotion, outcome: TrainOutcome) -> bool:
    """Promote, or ask a person where the definition wants one; False where it is to be judged once more."""
    if config.gates.approval:
        return request_approval(config, home, row, outcome) is not None
    return challenge(home, row, outcome) is not None
