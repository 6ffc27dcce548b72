"""MLflow's runs, models, versions and aliases.

What must not be lost is in the ledger; here is what people look at.
"""

from __future__ import annotations

import json
import logging
import shutil
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.config import PipelineConfig
from pipelines.environment import set_environment, variable
from pipelines.errors import EvergreenError, StackError
from pipelines.home import Home
from pipelines.models.bundle import check_hashes, hash_files, load_bundle
from pipelines.records import Attempt, Evaluation, GateVerdict, ModelVersion, ServedModel, TrainedModel
from pipelines.registry.mlflow_dataset import snapshot_input
from pipelines.training.folder import AttemptFolder

if TYPE_CHECKING:
    import pandas as pd
    from mlflow import MlflowClient

ATTEMPT_TAG = "evergreen.attempt"
COMPLETE_TAG = "evergreen.complete"
BUNDLE = "bundle"
QUIET = {
    "MLFLOW_SKIP_PIP_REQUIREMENTS_CHECK": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
}


def tracking_uri(home: Home) -> str:
    """The tracking server of the running stack, else the database under the home folder."""
    return variable("MLFLOW_TRACKING_URI") or f"sqlite:///{home.mlflow / 'mlflow.db'}"


def connect(home: Home) -> MlflowClient:
    """A client on this home's store; every call of MLflow's fluent interface goes there too."""
    set_environment({"MLFLOW_TRACKING_URI": tracking_uri(home), **QUIET})
    import mlflow

    logging.getLogger("mlflow").setLevel(logging.WARNING)

    home.mlflow.mkdir(parents=True, exist_ok=True)
    mlflow.set_tracking_uri(tracking_uri(home))
    return mlflow.MlflowClient()


def experiment_id(client: MlflowClient, home: Home, pipeline: str) -> str:
    """The pipeline's experiment; its artifacts are files under the home folder, whoever made it."""
    found = client.get_experiment_by_name(pipeline)
    if found is not None:
        return str(found.experiment_id)
    return str(
        client.create_experiment(pipeline, artifact_location=(home.mlflow / "artifacts" / pipeline).as_uri())
    )


def log_attempt(
    config: PipelineConfig,
    home: Home,
    trained: TrainedModel,
    attempt: Attempt,
    evaluation: Evaluation,
    verdicts: list[GateVerdict],
) -> str:
    """The run of an attempt, with parameters, metrics, verdicts and the model; its id.

    A second call finds the first's run.
    """
    import mlflow

    client = connect(home)
    experiment = experiment_id(client, home, config.pipeline)
    found = client.search_runs([experiment], f"tags.`{ATTEMPT_TAG}` = '{attempt.id}'")
    for run in found:
        if run.data.tags.get(COMPLETE_TAG):
            return str(run.info.run_id)
        client.delete_run(run.info.run_id)  # a process that was killed left it half written
    with mlflow.start_run(experiment_id=experiment, run_name=attempt.id, tags=run_tags(attempt)) as run:
        mlflow.log_params(run_parameters(config))
        client.log_inputs(run.info.run_id, [snapshot_input(config, attempt.snapshot)])
        log_numbers(client, run.info.run_id, trained, evaluation)
        mlflow.log_dict({"gates": [v.model_dump() for v in verdicts]}, "gates.json")
        mlflow.log_dict(evaluation.model_dump(mode="json"), "evaluation.json")
        log_model(config, attempt, trained)
        mlflow.set_tag(COMPLETE_TAG, "yes")
    return str(run.info.run_id)


def run_link(home: Home, pipeline: str, run_id: str) -> str:
    """Where MLflow shows a run: a Markdown link where a server runs, else the id."""
    uri = tracking_uri(home)
    if not uri.startswith("http"):
        return f"`{run_id}`"
    return f"[{run_id}]({uri}/#/experiments/{experiment_id(connect(home), home, pipeline)}/runs/{run_id})"


def run_tags(attempt: Attempt) -> dict[str, str]:
    """What ties a run to the ledger and the data."""
    return {
        ATTEMPT_TAG: attempt.id,
        "evergreen.snapshot": attempt.snapshot.id,
        "evergreen.fingerprint": attempt.snapshot.fingerprint,
        "evergreen.cause": attempt.cause or "",
    }


def run_parameters(config: PipelineConfig) -> dict[str, Any]:
    """What the training was told, flat."""
    sections = {"model": config.model, "training": config.training, "split": config.split}
    flat = {
        f"{name}.{k}": v
        for name, section in sections.items()
        for k, v in section.model_dump(mode="json").items()
    }
    return {**flat, "target": config.data.target, "features": ", ".join(config.feature_columns)[:500]}


def log_numbers(client: MlflowClient, run_id: str, trained: TrainedModel, evaluation: Evaluation) -> None:
    """The course of the training and the results, in one request."""
    import time

    from mlflow.entities import Metric

    now = int(time.time() * 1000)
    course = [
        Metric(f"train_{name}", float(row[name]), now, int(row["epoch"]))
        for row in AttemptFolder(Path(trained.folder).parent).read_epochs()
        for name in ("loss", "validation", "samples_per_second")
    ]
    results = {f"test_{k}": v for k, v in evaluation.metrics.items()}
    results |= {f"baseline_{k}": v for k, v in evaluation.baseline_metrics.items()}
    results |= {
        f"champion_{k}": v
        for k, v in (evaluation.comparison.champion_metrics if evaluation.comparison else {}).items()
    }
    results |= {"train_seconds": trained.seconds, **trained.details}
    client.log_batch(run_id, [*course, *(Metric(k, float(v), now, 0) for k, v in results.items())][:1000])


def log_model(config: PipelineConfig, attempt: Attempt, trained: TrainedModel) -> None:
    """The bundle as a pyfunc model from code: features and network as one, nothing pickled."""
    import mlflow
    from mlflow.models import infer_signature

    # MLflow copies everything it is given; the example comes from what evaluation kept for the smoke test.
    smoke = Path(attempt.folder) / "smoke"
    inputs, outputs = example(smoke, load_bundle(Path(trained.folder), trained.files).inputs)
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore", UserWarning
        )  # it would infer a signature from type hints; ours is given
        mlflow.pyfunc.log_model(
            name="model",
            python_model=str(Path(__file__).parent / "pyfunc_model.py"),
            artifacts={BUNDLE: trained.folder},
            signature=infer_signature(inputs, outputs),
            input_example=inputs.head(2),
            pip_requirements=["evergreen"],
            metadata={"files": json.dumps(trained.files), "pipeline": config.pipeline},
        )


def example(smoke: Path, inputs: list[str]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """A few rows with their answers, as the smoke test left them."""
    import pandas as pd

    rows = pd.read_parquet(smoke / "rows.parquet")[inputs]
    texts = rows.select_dtypes(exclude=["number", "datetime"]).columns
    filled = rows.astype(dict.fromkeys(texts, object))
    filled = filled.where(rows.notna(), None)  # type: ignore[call-overload]  # pandas-stubs know no None here
    return filled.astype(rows.select_dtypes("number").dtypes), pd.read_parquet(smoke / "expected.parquet")


def register_version(home: Home, run_id: str, attempt: Attempt) -> ModelVersion:
    """The version of an attempt, registered once, with the alias `challenger`."""
    client = connect(home)
    name = attempt.pipeline
    found = client.search_model_versions(f"run_id = '{run_id}'")
    if not found:
        ensure_model(client, name)
        model_uri = client.get_run(run_id).outputs.model_outputs[0].model_id
        tags = run_tags(attempt)
        found = [
            client.create_model_version(
                name, f"models:/{model_uri}", run_id=run_id, model_id=model_uri, tags=tags
            )
        ]
    version = int(found[0].version)
    client.set_registered_model_alias(name, "challenger", str(version))
    return ModelVersion(name=name, version=version, run_id=run_id, attempt=attempt.id)


def ensure_model(client: MlflowClient, name: str) -> None:
    """Make the registered model where it is not there."""
    from mlflow.exceptions import MlflowException

    try:
        client.create_registered_model(name)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise


def point_aliases(home: Home, name: str, champion: int, previous: int | None) -> None:
    """Make MLflow say what the ledger says; may be repeated."""
    client = connect(home)
    client.set_registered_model_alias(name, "champion", str(champion))
    if previous is not None:
        client.set_registered_model_alias(name, "previous", str(previous))
    aliases = client.get_registered_model(name).aliases
    if str(aliases.get("challenger")) == str(champion):
        client.delete_registered_model_alias(name, "challenger")


def fetch_model(home: Home, name: str, version: int, trained: TrainedModel) -> ServedModel:
    """A verified copy of a registered version under the home folder.

    Raises EvergreenError where its files are not those recorded.
    """
    folder = home.pipeline(name).models / str(version)
    if not folder.is_dir() or hash_files(folder) != trained.files:
        copy_bundle(home, name, version, folder)
    check_hashes(folder, trained.files)
    return ServedModel(pipeline=name, version=version, folder=str(folder), files=trained.files)


def copy_bundle(home: Home, name: str, version: int, folder: Path) -> None:
    """Bring the bundle of a version from MLflow's artifact store to `folder`, in full or not at all."""
    import mlflow
    from mlflow.exceptions import MlflowException

    connect(home)
    draft = folder.with_suffix(".part")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    try:
        uri = f"models:/{name}/{version}/artifacts/{BUNDLE}"
        source = Path(mlflow.artifacts.download_artifacts(artifact_uri=uri, dst_path=str(draft)))
    except (MlflowException, OSError) as error:
        raise StackError(
            f"MLflow does not hand out {name} version {version}: {error}", "Is it deleted there?"
        ) from error
    bundle = next((p for p in (source / BUNDLE, source) if (p / "model.json").exists()), None)
    if bundle is None:
        raise EvergreenError(
            f"Version {version} of {name} in MLflow holds no bundle of ours.", "Deploy another version."
        )
    shutil.rmtree(folder, ignore_errors=True)
    bundle.replace(folder)
    shutil.rmtree(draft, ignore_errors=True)
