"""MLflow's run of an attempt: one, from the start of the training on, whoever finds it again.

Nothing is lost while MLflow is away: what was told lies in the attempt's folder, and what is sent carries the
time when it was told, so that sending it twice changes nothing.
"""

from __future__ import annotations

import threading
import time
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from pipelines.background import Background
from pipelines.config import PipelineConfig
from pipelines.home import Home
from pipelines.records import Attempt, Cost, Evaluation, GateVerdict, TrainedModel
from pipelines.registry.mlflow_dataset import snapshot_input
from pipelines.registry.mlflow_store import (
    ATTEMPT_TAG,
    COMPLETE_TAG,
    connect,
    experiment_id,
    log_metrics,
    logged_model,
    run_tags,
    tracking_uri,
)
from pipelines.registry.model_log import log_model
from pipelines.registry.trial_runs import log_trials
from pipelines.training.folder import AttemptFolder
from pipelines.training.usage import attempt_cost

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Metric, Run

REASON_TAG = "evergreen.reason"
SECONDS = 2.0  # between two batches of epochs
LAST_SECONDS = 5.0  # for the last batch, where a server hangs
ADDRESSES = {"checkpoints"}  # which may hold a key
MEGABYTE = 1e6
ONE_AT_A_TIME = threading.Lock()  # of trainings in this process: who comes first makes the store
# MLflow's own names for what a machine does: the UI's tab of system metrics shows what is called so.
DEVICE = {
    "cpu_percent": ("system/cpu_utilization_percentage", 1.0),
    "memory_bytes": ("system/system_memory_usage_megabytes", MEGABYTE),
    "gpu_percent": ("system/gpu_0_utilization_percentage", 1.0),
    "gpu_memory_bytes": ("system/gpu_0_memory_usage_megabytes", MEGABYTE),
}


class RunLog:
    """A watch of a training, and a context: MLflow's run exists, follows the epochs and has its end.

    A thread of its own talks to MLflow, so that a server that is slow or away holds up nothing. What could
    not be sent waits for the next time, or for `log_attempt`.
    """

    def __init__(self, config: PipelineConfig, home: Home, attempt: Attempt) -> None:
        self.config, self.home, self.attempt = config, home, attempt
        self._rows: list[dict[str, Any]] = []
        self._sent = 0
        self._run_id: str | None = None
        self._end: tuple[str, str] | None = None
        self._background = Background(self._send, SECONDS, "MLflow does not take epochs")

    def __call__(self, rows: list[dict[str, Any]]) -> None:
        self._rows.extend(rows)

    def __enter__(self) -> Self:
        self._background.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end = ("FINISHED", "")  # for now: `log_attempt` goes on with it
        if error is not None:
            # Prefect's cancel and Ctrl-C are no Exception.
            self._end = ("FAILED" if isinstance(error, Exception) else "KILLED", str(error))
        self._background.end(LAST_SECONDS if tracking_uri(self.home).startswith("http") else None)

    def _send(self) -> None:
        if answers(tracking_uri(self.home)):
            with ONE_AT_A_TIME:
                self._send_rest()

    def _send_rest(self) -> None:
        client = connect(self.home)
        if self._run_id is None:
            self._run_id = open_run(client, self.config, self.home, self.attempt)
        rows = self._rows[self._sent :]
        log_metrics(client, self._run_id, epoch_metrics(rows, self._sent, self.config.model.kind))
        self._sent += len(rows)
        if self._end is not None:
            status, reason = self._end
            log_cost(client, self._run_id, cost_of(self.config, self.attempt))
            if status != "FINISHED":
                client.set_tag(self._run_id, REASON_TAG, reason[:5000] or status)
            client.set_terminated(self._run_id, status)
            if status == "FAILED":  # of the others `log_attempt` tells
                log_trials(client, self._run_id, self.attempt, AttemptFolder.of(self.attempt).failed_trials)


def answers(uri: str) -> bool:
    """Whether the tracking server is there; MLflow's own client would try for minutes."""
    if not uri.startswith("http"):
        return True
    import httpx

    try:
        return httpx.get(f"{uri}/health", timeout=2).is_success
    except httpx.HTTPError:
        return False


def find_run(client: MlflowClient, home: Home, attempt: Attempt) -> Run | None:
    """The run of an attempt, None where it has none yet."""
    experiment = experiment_id(client, home, attempt.pipeline)
    found = client.search_runs([experiment], f"tags.`{ATTEMPT_TAG}` = '{attempt.id}'")
    return next((run for run in found if run.data.tags.get(COMPLETE_TAG)), found[0] if found else None)


def open_run(client: MlflowClient, config: PipelineConfig, home: Home, attempt: Attempt) -> str:
    """The run of an attempt, made where there is none, and running unless it is complete; its id."""
    run = find_run(client, home, attempt)
    if run is None:
        experiment = experiment_id(client, home, attempt.pipeline)
        run = client.create_run(experiment, tags=run_tags(attempt), run_name=attempt.id)
        client.log_inputs(run.info.run_id, [snapshot_input(config, attempt.snapshot)])
    elif run.info.status != "RUNNING" and not run.data.tags.get(COMPLETE_TAG):
        client.update_run(run.info.run_id, status="RUNNING")
        if REASON_TAG in run.data.tags:
            client.delete_tag(run.info.run_id, REASON_TAG)
    log_parameters(client, run, run_parameters(config))
    return str(run.info.run_id)


def log_attempt(
    config: PipelineConfig,
    home: Home,
    trained: TrainedModel,
    attempt: Attempt,
    evaluation: Evaluation,
    verdicts: list[GateVerdict],
) -> str:
    """The run of an attempt, with parameters, metrics, verdicts and the model; its id.

    It is that of the training. What the training, or a call that was killed, has not logged is added; a call
    after one that was complete brings the new judgment, here and in the attempt's folder, and nothing else.
    """
    import mlflow

    AttemptFolder.of(attempt).keep_evaluation(evaluation)
    client = connect(home)
    with ONE_AT_A_TIME:  # the training's thread may be at it still
        run_id = open_run(client, config, home, attempt)
    client.log_dict(run_id, {"gates": [v.model_dump() for v in verdicts]}, "gates.json")
    client.log_dict(run_id, evaluation.model_dump(mode="json"), "evaluation.json")
    log_comparison(client, run_id, evaluation)
    run = client.get_run(run_id)
    if run.data.tags.get(COMPLETE_TAG):
        return run_id
    with mlflow.start_run(run_id=run_id):
        log_parameters(client, run, {"kind": trained.kind})
        log_metrics(client, run_id, all_epochs(config, attempt))
        log_results(client, run_id, trained, evaluation)
        log_cost(client, run_id, cost_of(config, attempt))
        log_trials(client, run_id, attempt, AttemptFolder.of(attempt).trials)
        if logged_model(client, run_id) is None:
            log_model(config, attempt, trained)
        mlflow.set_tag(COMPLETE_TAG, "yes")
    return run_id


def log_report(home: Home, run_id: str, page: Path) -> None:
    """The page of the run's model as the artifact `report.html`; a later one takes its place."""
    connect(home).log_text(run_id, page.read_text(encoding="utf-8"), "report.html")


def log_parameters(client: MlflowClient, run: Run, parameters: dict[str, Any]) -> None:
    """Those that the run does not have: MLflow takes no second value, and how it runs may have changed."""
    from mlflow.entities import Param

    new = [Param(k, str(v)[:500]) for k, v in parameters.items() if k not in run.data.params]
    client.log_batch(run.info.run_id, params=new[:100])


def run_parameters(config: PipelineConfig) -> dict[str, Any]:
    """What the training was told, flat."""
    sections = {"model": config.model, "training": config.training, "split": config.split}
    flat = {
        f"{name}.{k}": v
        for name, section in sections.items()
        for k, v in section.model_dump(mode="json", exclude=ADDRESSES).items()
    }
    return {**flat, "target": config.data.target, "features": ", ".join(config.feature_columns)}


def all_epochs(config: PipelineConfig, attempt: Attempt) -> list[Metric]:
    """The metrics of every epoch that was told."""
    return epoch_metrics(AttemptFolder.of(attempt).read_epochs(), 0, config.model.kind)


def epoch_metrics(rows: list[dict[str, Any]], first: int, kind: str) -> list[Metric]:
    """What epochs told, as of when they did; other models than `kind` have their name before the metric's.

    System metrics count the epochs of all models, `first` being the number of the first row.
    """
    from mlflow.entities import Metric

    metrics = []
    for number, row in enumerate(rows, start=first):
        prefix = "" if row["model"] in {kind, f"{kind} tuned"} else f"{row['model']}/"
        at = int(row.get("time", 0) * 1000)
        values = {f"train_{name}": row.get(name) for name in ("loss", "validation", "samples_per_second")}
        values[f"validation_{row.get('metric')}"] = row.get("score")
        metrics += [
            Metric(prefix + name, float(value), at, int(row["epoch"]))
            for name, value in values.items()
            if value is not None
        ]
        metrics += [
            Metric(name, row["device"][key] / unit, at, number)
            for key, (name, unit) in DEVICE.items()
            if key in row.get("device", {})
        ]
    return metrics


def log_results(client: MlflowClient, run_id: str, trained: TrainedModel, evaluation: Evaluation) -> None:
    """What the evaluation found of the model, as of when the training ended."""
    results = {f"test_{k}": v for k, v in evaluation.metrics.items()}
    for baseline in evaluation.baselines:
        name = baseline.name.replace(" ", "_")
        results |= {f"{name}_{k}": v for k, v in baseline.metrics.items()}
    results |= {"train_seconds": trained.seconds, **trained.details}
    log_values(client, run_id, results, AttemptFolder.of_model(trained).result.stat().st_mtime)


def log_comparison(client: MlflowClient, run_id: str, evaluation: Evaluation) -> None:
    """Challenger and champion on the same rows, as of now.

    An attempt may be judged against several champions, and of several values of one moment MLflow shows the
    largest.
    """
    if (compared := evaluation.comparison) is None:
        return
    found = {f"champion_{k}": v for k, v in compared.champion_metrics.items()}
    found |= {f"challenger_{k}": v for k, v in compared.metrics.items()}
    found["compared_rows"] = compared.rows
    log_values(client, run_id, found, time.time())


def log_values(client: MlflowClient, run_id: str, values: dict[str, float], at: float) -> None:
    """One value of each metric, of a moment in seconds since 1970."""
    from mlflow.entities import Metric

    log_metrics(client, run_id, [Metric(k, float(v), int(at * 1000), 0) for k, v in values.items()])


def cost_of(config: PipelineConfig, attempt: Attempt) -> Cost:
    return attempt_cost(AttemptFolder.of(attempt), config.prices)


def log_cost(client: MlflowClient, run_id: str, cost: Cost) -> None:
    """What the attempt has used so far."""
    numbers = {f"cost/{k}": v for k, v in cost.model_dump(exclude={"currency"}).items() if v is not None}
    log_values(client, run_id, numbers, time.time())
    client.set_tag(run_id, "evergreen.currency", cost.currency)
