"""Challenger becomes champion: the ledger's row first, then the alias, then what is served.

Each step may be repeated.
"""

from __future__ import annotations

from pipelines.clock import now
from pipelines.errors import UsageError
from pipelines.home import Home
from pipelines.ledger import Ledger
from pipelines.records import Attempt, ModelVersion, Promotion, ServedModel, TrainedModel, TrainOutcome
from pipelines.registry import mlflow_store
from pipelines.registry.mlflow_store import fetch_model, point_aliases


def champion_model(home: Home, pipeline: str) -> ServedModel | None:
    """The champion's verified files, None where there is no champion yet."""
    ledger = Ledger.open(home)
    champion = ledger.champion(pipeline)
    if champion is None:
        return None
    return fetch_model(home, pipeline, champion.version, ledger.trained(pipeline, champion.version))


def require_champion(home: Home, pipeline: str) -> ServedModel:
    """The champion's verified files. Raises UsageError where there is no champion yet."""
    served = champion_model(home, pipeline)
    if served is None:
        raise UsageError(f"{pipeline} has no champion yet.", "`evergreen train` makes one.")
    return served


def register_version(home: Home, run_id: str, attempt: Attempt, trained: TrainedModel) -> ModelVersion:
    """The version of an attempt in MLflow, registered once, and in the ledger with its files' hashes."""
    version = mlflow_store.register_version(home, run_id, attempt)
    Ledger.open(home).record_version(attempt.id, trained, version.version)
    return version


def out_of_step(home: Home) -> list[str]:
    """Pipelines whose champion, by the ledger, is not what is to be served: a crash came between the two."""
    ledger = Ledger.open(home)
    served = {s.pipeline: s.version for s in ledger.served()}
    champions = {name: ledger.champion(name) for name in ledger.pipelines()}
    return [name for name, champion in champions.items() if champion and served.get(name) != champion.version]


def promote(home: Home, promotion: Promotion, outcome: TrainOutcome) -> Promotion:
    """Record the promotion, if the champion is still the one it was judged against.

    Raises PromotionConflict.
    """
    return Ledger.open(home).promote(promotion, outcome)


def deploy_champion(home: Home, pipeline: str) -> ServedModel:
    """Make alias and prediction service follow the ledger's champion.

    Raises UsageError where there is none.
    """
    served = require_champion(home, pipeline)
    ledger = Ledger.open(home)
    champion = ledger.champions(pipeline)[-1]
    point_aliases(home, pipeline, champion.version, champion.previous)
    ledger.serve(served)
    ledger.confirm(champion)
    return served


def choose_version(home: Home, pipeline: str, version: int, why: str) -> Promotion:
    """A person makes an earlier registered version champion. Raises UsageError where it is not there."""
    ledger = Ledger.open(home)
    attempt = ledger.trained(pipeline, version).attempt
    current = ledger.champion(pipeline)
    if current is not None and current.version == version:
        return current
    return ledger.promote(
        Promotion(
            pipeline=pipeline,
            seq=0,
            version=version,
            previous=current.version if current else None,
            attempt=attempt,
            cause=None,
            why=why,
            since=now(),
        )
    )


def previous_version(home: Home, pipeline: str) -> int:
    """The champion before this one. Raises UsageError where there was none."""
    champion = Ledger.open(home).champion(pipeline)
    if champion is None or champion.previous is None:
        raise UsageError(
            f"{pipeline} has no earlier champion to go back to.", "`evergreen history` lists the champions."
        )
    return champion.previous
