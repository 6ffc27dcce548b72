"""MLflow's runs, models, versions and aliases.

What must not be lost is in the ledger; here is what people look at.
"""

from __future__ import annotations

import logging
import shutil
import tempfile
import time
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.environment import set_environment, variable
from pipelines.errors import ModelUnusable, StackError
from pipelines.home import Home
from pipelines.models.bundle import DESCRIPTION, check_hashes, is_intact
from pipelines.progress import log
from pipelines.records import Attempt, ModelVersion, ServedModel, TrainedModel

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Metric

ATTEMPT_TAG = "evergreen.attempt"
COMPLETE_TAG = "evergreen.complete"
MOST_METRICS = 1000  # that MLflow takes at a time
BUNDLE = "bundle"
ABANDONED_SECONDS = 3600.0
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
    """The pipeline's experiment; its artifacts are files under the home folder, whoever made it.

    One that was deleted in MLflow's UI comes back, with its runs: MLflow gives its name to no other.
    """
    from mlflow.exceptions import MlflowException

    found = client.get_experiment_by_name(pipeline)
    if found is not None:
        if found.lifecycle_stage == "deleted":
            log.warning("The experiment %s was deleted in MLflow: it is restored", pipeline)
            client.restore_experiment(found.experiment_id)
        return str(found.experiment_id)
    place = (home.mlflow / "artifacts" / pipeline).as_uri()
    try:
        return str(client.create_experiment(pipeline, artifact_location=place))
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":  # another process was first
            raise
        return str(client.get_experiment_by_name(pipeline).experiment_id)


def run_address(home: Home, pipeline: str, run_id: str) -> str | None:
    """Where MLflow shows a run, None where no server runs, or there is no such experiment any more."""
    uri = tracking_uri(home)
    if not uri.startswith("http"):
        return None
    experiment = connect(home).get_experiment_by_name(pipeline)
    return f"{uri}/#/experiments/{experiment.experiment_id}/runs/{run_id}" if experiment else None


def run_link(home: Home, pipeline: str, run_id: str) -> str:
    """Where MLflow shows a run: a Markdown link where a server runs, else the id."""
    address = run_address(home, pipeline, run_id)
    return f"[{run_id}]({address})" if address else f"`{run_id}`"


def log_metrics(client: MlflowClient, run_id: str, metrics: list[Metric]) -> None:
    """As many requests as MLflow wants; what is there already, with the same time, stays as it is."""
    for start in range(0, len(metrics), MOST_METRICS):
        client.log_batch(run_id, metrics[start : start + MOST_METRICS])


def run_tags(attempt: Attempt) -> dict[str, str]:
    """What ties a run to the ledger and the data."""
    return {
        ATTEMPT_TAG: attempt.id,
        "evergreen.snapshot": attempt.snapshot.id,
        "evergreen.fingerprint": attempt.snapshot.fingerprint,
        "evergreen.cause": attempt.cause or "",
    }


def register_version(home: Home, run_id: str, attempt: Attempt, taken: Collection[int] = ()) -> ModelVersion:
    """The version of an attempt, registered once, with the alias `challenger`; no number of `taken`."""
    client = connect(home)
    name = attempt.pipeline
    found = client.search_model_versions(f"run_id = '{run_id}'")
    version = int(found[0].version) if found else create_version(client, run_id, attempt)
    while version in taken:  # somebody deleted the whole model: MLflow counts from 1 again
        client.delete_model_version(name, str(version))
        version = create_version(client, run_id, attempt)
    client.set_registered_model_alias(name, "challenger", str(version))
    return ModelVersion(name=name, version=version, run_id=run_id, attempt=attempt.id)


def create_version(client: MlflowClient, run_id: str, attempt: Attempt) -> int:
    """A new version of the run's model; its number."""
    ensure_model(client, attempt.pipeline)
    model_id = logged_model(client, run_id)
    created = client.create_model_version(
        attempt.pipeline, f"models:/{model_id}", run_id=run_id, model_id=model_id, tags=run_tags(attempt)
    )
    return int(created.version)


def logged_model(client: MlflowClient, run_id: str) -> str | None:
    """The id of the model that was logged with a run in full, None where there is none."""
    outputs = client.get_run(run_id).outputs
    ids = [found.model_id for found in outputs.model_outputs] if outputs else []
    return next((i for i in ids if str(client.get_logged_model(i).status) == "READY"), None)


def ensure_model(client: MlflowClient, name: str) -> None:
    """Make the registered model where it is not there."""
    from mlflow.exceptions import MlflowException

    try:
        client.create_registered_model(name)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise


def fetch_model(home: Home, name: str, version: int, trained: TrainedModel) -> ServedModel:
    """A verified copy of a registered version under the home folder: its attempt's files, else MLflow's.

    Raises ModelUnusable where neither has the recorded files, StackError where MLflow does not answer.
    """
    folder = home.pipeline(name).models / str(version)
    if not is_intact(folder, trained.files):
        own = Path(trained.folder)
        if is_intact(own, trained.files):
            copy_whole(own, folder)
        else:
            copy_from_mlflow(home, name, version, folder)
        check_hashes(folder, trained.files)
    return ServedModel(pipeline=name, version=version, folder=str(folder), files=trained.files)


def copy_whole(source: Path, folder: Path) -> None:
    """Make `folder` a copy of `source`, in full or not at all, whoever else does so."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    for left in folder.parent.glob(f"{folder.name}.*.part"):  # by a process that was killed
        if time.time() - left.stat().st_mtime > ABANDONED_SECONDS:
            shutil.rmtree(left, ignore_errors=True)
    draft = Path(tempfile.mkdtemp(prefix=f"{folder.name}.", suffix=".part", dir=folder.parent))
    try:
        shutil.copytree(source, draft, dirs_exist_ok=True)
        shutil.rmtree(folder, ignore_errors=True)
        draft.replace(folder)
    except OSError:
        if not folder.is_dir():  # else another process was first
            raise
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def copy_from_mlflow(home: Home, name: str, version: int, folder: Path) -> None:
    """Bring the bundle of a version from MLflow's artifact store to `folder`."""
    import mlflow
    from mlflow.exceptions import MlflowException

    connect(home)
    uri = f"models:/{name}/{version}/artifacts/{BUNDLE}"
    with tempfile.TemporaryDirectory() as draft:
        try:
            source = Path(mlflow.artifacts.download_artifacts(artifact_uri=uri, dst_path=draft))
        except (MlflowException, OSError) as error:
            gone = getattr(error, "error_code", None) == "RESOURCE_DOES_NOT_EXIST"
            kind = ModelUnusable if gone or isinstance(error, FileNotFoundError) else StackError
            raise kind(
                f"MLflow does not hand out {name} version {version}: {error}", "Is it deleted there?"
            ) from error
        bundle = next((p for p in (source / BUNDLE, source) if (p / DESCRIPTION).exists()), None)
        if bundle is None:
            raise ModelUnusable(
                f"Version {version} of {name} in MLflow holds no bundle of ours.", "Deploy another version."
            )
        copy_whole(bundle, folder)
