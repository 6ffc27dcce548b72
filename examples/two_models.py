"""A flow of one's own, made of Evergreen's steps: a new column, two kinds of model, the better one let in."""

import pandas as pd
from prefect import flow, task

from pipelines import gates, outcomes
from pipelines.clock import now
from pipelines.config import Column
from pipelines.data.sources import find_files
from pipelines.home import Home
from pipelines.promotion.champion import champion_to_beat
from pipelines.records import TrainOutcome
from pipelines.registration import derive_pipeline, open_pipeline
from pipelines.training.attempts import plan_attempt
from tasks import data, evaluation, registry, training, validation


@task(task_run_name="enrich")
def add_rush_hour(pipeline: str, home: Home) -> str:
    """The name of a pipeline beside the given one, whose rows also say whether it is the rush hour."""
    config = open_pipeline(home, pipeline)
    rows = pd.concat([pd.read_csv(file) for file in find_files(config.data.source, config.folder)])
    rush = pd.to_datetime(rows[config.data.timestamp]).dt.hour.isin([7, 8, 9, 17, 18, 19])
    columns = {"rush_hour": Column(type="category")}
    derived = derive_pipeline(home, config, "two-models", "rows.csv", columns)
    rows.assign(rush_hour=rush).to_csv(derived.folder / "rows.csv", index=False)
    return derived.pipeline


@flow(name="two-models", flow_run_name="two-models-{pipeline}")
def two_models(pipeline: str) -> TrainOutcome:
    """Train a network and gradient boosting side by side; promote the better one if it passes the gates.

    Args:
        pipeline: name of a known pipeline with a timestamp and CSV files, or the path of its pipeline.yaml.
    """
    home = Home.at()
    name = add_rush_hour(pipeline, home)
    config, cause = open_pipeline(home, name), outcomes.open_cause(home, name, None, "two kinds of model")
    report = validation.validate_batch(config, home, batch := data.stage_batch(config, home, wait_for=[name]))
    snapshot = data.accept_batch(home, batch, report)
    tries, champion = [], champion_to_beat(home, config.pipeline)
    for kind in ("mlp", "gradient_boosting"):
        config = config.model_copy(update={"model": config.model.model_copy(update={"kind": kind})})
        attempt = plan_attempt(config, home, snapshot, cause.id)
        trained = training.fit_model.submit(config, home, attempt)
        measured = evaluation.evaluate_model.submit(config, attempt, trained, champion)
        tries.append((config, attempt, trained, measured))
    leads = [found.result().baselines[0].differences[config.metric].value for *_, found in tries]
    config, attempt, trained, measured = tries[leads.index(max(leads))]
    if known := outcomes.known_outcome(home, attempt, batch, report):
        return known
    verdicts = gates.judge(measured.result(), config.gates, now())
    run_id = registry.log_attempt(config, home, trained, attempt, measured, verdicts, wait_for=[tries])
    outcome = outcomes.describe_outcome(attempt, batch, report, measured.result(), verdicts, run_id)
    if (verdict := gates.overall(verdicts)) != "pass":
        return outcomes.keep_out(home, outcome, verdict, {})
    evaluation.keep_reference(config, attempt, trained, wait_for=[run_id])
    version = registry.register_version(home, run_id, attempt, trained)
    row = outcomes.plan_promotion(config, version, measured.result(), cause, verdicts)
    promoted = registry.promote(home, row, outcomes.mark_promoted(outcome, version))
    return outcomes.close_promotion(home, promoted, {})
