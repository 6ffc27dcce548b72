"""A person decides which version is in production: any registered one, or an earlier champion."""

from __future__ import annotations

from pathlib import Path

from pipelines.clock import now
from pipelines.config import PipelineConfig
from pipelines.errors import PromotionReverted, UsageError
from pipelines.home import Home
from pipelines.ledger import Ledger
from pipelines.models.bundle import read_description
from pipelines.promotion.champion import verified_model
from pipelines.promotion.transaction import promote, restore_champion, settled_champion
from pipelines.records import Promotion, ServedModel
from pipelines.registry.aliases import champion_alias, has_version

ACCEPTED = "the alias was moved to it in MLflow, and that was accepted"


def choose_version(
    home: Home, config: PipelineConfig, version: int, why: str | None, by: str | None = None
) -> Promotion:
    """Make a registered version champion because a person, `by`, wants it; the champion is only served again.

    Raises UsageError for a version that is not there, was deleted in MLflow or does not fit the data,
    ModelUnusable where its files are not those recorded, PromotionReverted where it did not answer.
    """
    ledger, name = Ledger.open(home), config.pipeline
    attempt, current = ledger.trained(name, version).attempt, settled_champion(home, name)
    if current is not None and current.version == version:
        return restore_champion(home, name, why, by) or current
    refuse_deleted(home, name, version)
    refuse_other_schema(config, verified_model(home, name, version))
    found = champion_alias(home, name)
    promotion = Promotion(
        pipeline=name,
        seq=0,  # the ledger gives the number
        version=version,
        previous=current.version if current else None,
        attempt=attempt,
        cause=None,
        why=why or (ACCEPTED if found == version else "chosen by hand"),
        since=now(),
        approved_by=by,
    )
    return require_confirmed(promote(home, promotion))


def roll_back(
    home: Home, config: PipelineConfig, version: int | None, why: str | None, by: str | None = None
) -> Promotion:
    """Make an earlier champion, else the one before this one, champion again.

    Raises UsageError where `version` never was champion, and whatever `choose_version` does.
    """
    ledger, name = Ledger.open(home), config.pipeline
    if version is None:
        version = previous_version(home, name)
    reigned = sorted({champion.version for champion in ledger.champions(name)})
    if version not in reigned:
        known = ", ".join(map(str, reigned)) or "none"
        raise UsageError(
            f"Version {version} of {name} never was champion (champions: {known}).",
            f"`evergreen deploy {name} --version {version}` makes any registered version champion.",
        )
    return choose_version(home, config, version, why or "rolled back by hand", by)


def previous_version(home: Home, pipeline: str) -> int:
    """The champion before this one. Raises UsageError where there was none."""
    champion = Ledger.open(home).champion(pipeline)
    if champion is None or champion.previous is None:
        raise UsageError(
            f"{pipeline} has no earlier champion to go back to.", "`evergreen history` lists the champions."
        )
    return champion.previous


def refuse_deleted(home: Home, pipeline: str, version: int) -> None:
    """Raise UsageError for a version that nobody could see in MLflow any more."""
    if not has_version(home, pipeline, version):
        raise UsageError(
            f"Version {version} of {pipeline} was deleted in MLflow, which gives no number twice.",
            "`evergreen history` lists the versions; choose another, or train again.",
        )


def refuse_other_schema(config: PipelineConfig, served: ServedModel) -> None:
    """Raise UsageError, with the columns, where a model needs what the data of today does not have."""
    types = read_description(Path(served.folder)).types
    gone = [name for name in types if name not in config.columns]
    other = [
        f"{name} ({kind} then, {config.columns[name].type} now)"
        for name, kind in types.items()
        if name in config.columns and config.columns[name].type != kind
    ]
    if gone or other:
        found = [f"it needs {', '.join(gone)}, which the definition does not have"] if gone else []
        found += [f"of another type are {', '.join(other)}"] if other else []
        words = f"Version {served.version} of {config.pipeline} does not fit the data any more"
        raise UsageError(
            f"{words}: {'; '.join(found)}.",
            "Bring the columns back, choose another version, or train again.",
        )


def require_confirmed(promotion: Promotion) -> Promotion:
    """Raise PromotionReverted for one that was undone."""
    if promotion.state == "reverted":
        kept = f"version {promotion.previous}" if promotion.previous else "nothing"
        raise PromotionReverted(
            f"Version {promotion.version} of {promotion.pipeline} is not champion: {promotion.undone}",
            f"All is as it was before: {kept} is served.",
        )
    return promotion
