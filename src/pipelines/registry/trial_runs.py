"""The trials of a tuning as child runs of the attempt's run in MLflow, each of them once."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.records import Attempt, Trial
from pipelines.registry.mlflow_store import COMPLETE_TAG, log_metrics
from pipelines.reporting.tuning import render_tuning
from pipelines.training.trials import best_trial, read_trials

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Metric

PARENT_TAG = "mlflow.parentRunId"  # MLflow's own: its UI folds children under their parent
TRIAL_TAG = "evergreen.trial"
MOST_CHILDREN = 10_000
STATES = {"failed": "FAILED"}  # every other trial did what it was for


def log_trials(client: MlflowClient, run_id: str, attempt: Attempt, path: Path) -> list[str]:
    """A child run for each trial in the log at `path`, the best settings as parameters `tuned.…` and the
    trials as tuning.html.

    Returns the children's ids in the order of the trials; none without a tuning. Called again, it adds what a
    call that was killed has left out, and nothing else.
    """
    trials = read_trials(path)
    if not trials:
        return []
    at = int(path.stat().st_mtime * 1000)  # the same at every call, so nothing is there twice
    experiment = client.get_run(run_id).info.experiment_id
    known = find_children(client, experiment, run_id)
    children = []
    for trial in trials:
        run = known.get(started(trial, at)) or create_child(client, experiment, run_id, trial, at)
        if not run.data.tags.get(COMPLETE_TAG):
            fill_child(client, run.info.run_id, trial, at)
        children.append(str(run.info.run_id))
    log_best(client, run_id, trials)
    client.log_text(run_id, render_tuning(f"{attempt.id}: tuning", trials), "tuning.html")
    return children


def started(trial: Trial, at: int) -> tuple[str, int]:
    """What tells a trial from all others, those of a tuning that failed before included: number and start."""
    return str(trial.number), at - int(trial.seconds * 1000)


def find_children(client: MlflowClient, experiment: str, run_id: str) -> dict[tuple[str, int], Any]:
    """The child runs that are there, as `started` tells them apart."""
    found = client.search_runs([experiment], f"tags.`{PARENT_TAG}` = '{run_id}'", max_results=MOST_CHILDREN)
    return {(run.data.tags.get(TRIAL_TAG, ""), run.info.start_time): run for run in found}


def create_child(client: MlflowClient, experiment: str, run_id: str, trial: Trial, at: int) -> Any:
    """Tagged as it is made, so that it is found again, however early we are killed."""
    number, start = started(trial, at)
    tags = {PARENT_TAG: run_id, TRIAL_TAG: number, "evergreen.trial_status": trial.status}
    return client.create_run(experiment, start_time=start, tags=tags, run_name=f"trial {number}")


def fill_child(client: MlflowClient, run_id: str, trial: Trial, at: int) -> None:
    """Settings, the loss by epoch and how it ended."""
    from mlflow.entities import Param, RunTag

    params = [Param(name, str(value)) for name, value in trial.settings.items()]
    log_metrics(client, run_id, trial_metrics(trial, at))
    reason = [RunTag("evergreen.reason", trial.reason)] if trial.reason else []
    client.log_batch(run_id, params=params, tags=[*reason, RunTag(COMPLETE_TAG, "yes")])
    client.set_terminated(run_id, STATES.get(trial.status, "FINISHED"), end_time=at)


def trial_metrics(trial: Trial, at: int) -> list[Metric]:
    from mlflow.entities import Metric

    course = [Metric("validation_loss", loss, at, epoch) for epoch, loss in enumerate(trial.losses, 1)]
    best = [] if trial.best is None else [Metric("best_validation_loss", trial.best, at, 0)]
    return [*course, *best, Metric("seconds", trial.seconds, at, 0)]


def log_best(client: MlflowClient, run_id: str, trials: list[Trial]) -> None:
    """The settings that the model was trained with, as parameters of the attempt's own run."""
    from mlflow.entities import Param

    if best := best_trial(trials):
        params = [Param(f"tuned.{name}", str(value)) for name, value in best.settings.items()]
        client.log_batch(run_id, params=[*params, Param("tuned.trial", str(best.number))])
