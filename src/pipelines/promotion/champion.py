"""Who is champion, and the files of that version."""

from __future__ import annotations

from pipelines.errors import ModelUnusable, UsageError
from pipelines.home import Home
from pipelines.ledger import Ledger
from pipelines.records import Attempt, Champion, ModelVersion, ServedModel, TrainedModel
from pipelines.registry import mlflow_store


def require_champion(home: Home, pipeline: str) -> ServedModel:
    """The champion's verified files. Raises UsageError where there is no champion yet, ModelUnusable."""
    champion = Ledger.open(home).champion(pipeline)
    if champion is None:
        raise UsageError(f"{pipeline} has no champion yet.", "`evergreen train` makes one.")
    return verified_model(home, pipeline, champion.version)


def champion_to_beat(home: Home, pipeline: str) -> Champion | None:
    """The champion as it is recorded, with what it was made from; None where there is none yet.

    Its files may be spoilt: whoever loads it finds out, and nothing was read by then.
    """
    ledger = Ledger.open(home)
    champion = ledger.champion(pipeline)
    if champion is None:
        return None
    made = ledger.version(pipeline, champion.version)
    served = recorded_model(home, pipeline, champion.version)
    return Champion(**served.model_dump(), snapshot=made.attempt.snapshot, definition=made.config)


def verified_model(home: Home, pipeline: str, version: int) -> ServedModel:
    """A version's files, which are those recorded. Raises ModelUnusable, or UsageError for an unknown one."""
    trained = Ledger.open(home).trained(pipeline, version)
    return mlflow_store.fetch_model(home, pipeline, version, trained)


def recorded_model(home: Home, pipeline: str, version: int) -> ServedModel:
    """A version's files as they should be, verified where that is possible."""
    try:
        return verified_model(home, pipeline, version)
    except ModelUnusable:
        folder = home.pipeline(pipeline).models / str(version)
        files = Ledger.open(home).trained(pipeline, version).files
        return ServedModel(pipeline=pipeline, version=version, folder=str(folder), files=files)


def register_version(home: Home, run_id: str, attempt: Attempt, trained: TrainedModel) -> ModelVersion:
    """The version of an attempt in MLflow, registered once, and in the ledger with its files' hashes.

    Its number is no other attempt's, also where MLflow counts anew, its whole model deleted.
    """
    ledger = Ledger.open(home)
    taken = [one.version for one in ledger.attempts(attempt.pipeline) if one.version and one.id != attempt.id]
    version = mlflow_store.register_version(home, run_id, attempt, taken)
    ledger.record_version(attempt.id, trained, version.version)
    return version
