"""A promotion from its first row to its last word; killed anywhere, the next caller finishes or undoes it.

    ledger: begun  ->  alias  ->  what is served  ->  watch  ->  ledger: confirmed
                                                      |
                                  alias back  <-  complaint  ->  ledger: reverted, served as before

The ledger goes first, so that of two promotions judged against one champion only one begins. A settled
promotion means that alias and service agree with it: an alias that does not was moved by somebody else.
"""

from __future__ import annotations

from pathlib import Path

from pipelines.clock import now
from pipelines.errors import ModelUnusable, PromotionConflict, StackError, UsageError
from pipelines.home import Home
from pipelines.ledger import Ledger
from pipelines.lock import one_at_a_time
from pipelines.progress import log
from pipelines.promotion.aliases import correct_alias, warn_of_alias
from pipelines.promotion.champion import recorded_model, verified_model
from pipelines.records import Promotion, ServedModel, TrainOutcome
from pipelines.registry.aliases import champion_alias, point_aliases, require_answer
from pipelines.serving.rollout import watch_rollout
from pipelines.training.folder import AttemptFolder


def promote(home: Home, promotion: Promotion, outcome: TrainOutcome | None = None) -> Promotion:
    """Make a version champion: as it ended, confirmed or reverted. Asked for twice, it happens once.

    Raises PromotionConflict where the champion is not the one that it was judged against, and StackError
    where a server does not answer: it is begun then, and the next run or maintenance goes on with it.
    """
    ledger, pipeline = Ledger.open(home), promotion.pipeline
    with one_at_a_time(home, pipeline, "promotion"):
        finish_begun(home, pipeline)
        # Who waited for the turn comes after those who had it.
        row = promotion.model_copy(update={"since": now()})
        return carry_through(home, ledger.promote(row, outcome))


def challenge(home: Home, promotion: Promotion, outcome: TrainOutcome) -> Promotion | None:
    """Promote, or None where another became champion meanwhile: then it is to be judged against that one."""
    try:
        return promote(home, promotion, outcome)
    except PromotionConflict as conflict:
        log.info("%s", conflict.message)
        return None


def settle_pipeline(home: Home, pipeline: str) -> str | None:
    """Finish or undo what a crash left half done; what is wrong with the alias, where somebody moved it.

    Raises StackError where the service does not say whether it answers.
    """
    with one_at_a_time(home, pipeline, "promotion"):
        champion = finish_begun(home, pipeline)
        if champion is not None and served_version(home, pipeline) != champion.version:
            Ledger.open(home).serve(recorded_model(home, pipeline, champion.version))
    return warn_of_alias(home, pipeline)


def settled_champion(home: Home, pipeline: str) -> Promotion | None:
    """The champion, none of whose promotions is under way any more. Raises StackError."""
    with one_at_a_time(home, pipeline, "promotion"):
        return finish_begun(home, pipeline)


def restore_champion(
    home: Home, pipeline: str, why: str | None = None, by: str | None = None
) -> Promotion | None:
    """Make alias and service follow the ledger's champion, whoever moved them; logged is who, `by`, wants it.

    None where there is no champion, and an alias that somebody gave is taken back. Raises UsageError where
    there is neither, ModelUnusable where the champion does not answer, StackError where MLflow does not.
    """
    require_answer(home)
    with one_at_a_time(home, pipeline, "promotion"):
        champion = finish_begun(home, pipeline)
        if champion is None:
            if champion_alias(home, pipeline) is None:
                raise UsageError(f"{pipeline} has no champion yet.", "`evergreen train` makes one.")
            take_alias_back(home, pipeline, why, by)
            return None
        served = verified_model(home, pipeline, champion.version)
        try:
            correct_alias(home, pipeline, champion.version, champion.version, why, by)
            point_aliases(home, pipeline, champion.version, champion.previous)
        except ModelUnusable as error:  # deleted there; its files are here
            log.warning("%s It is served from %s.", error, served.folder)
        Ledger.open(home).serve(served)
        if complaint := watch_rollout(home, served, golden_rows(home, pipeline, champion.version)):
            raise StackError(complaint, f"`evergreen rollback {pipeline}` goes back to an earlier champion.")
    return champion


def take_alias_back(home: Home, pipeline: str, why: str | None, by: str | None) -> None:
    """Where there is no champion, no version has the alias, whoever gave it one."""
    correct_alias(home, pipeline, None, None, why, by)
    point_aliases(home, pipeline, None, None)


def unsettled(home: Home) -> list[str]:
    """Pipelines whose champion is not yet confirmed, or is not what is to be served."""
    ledger = Ledger.open(home)
    champions = {name: ledger.champion(name) for name in ledger.pipelines()}
    served = {model.pipeline: model.version for model in ledger.served()}
    return [
        name
        for name, champion in champions.items()
        if champion and (champion.state == "begun" or served.get(name) != champion.version)
    ]


# ------------------------------------------------------------------------------------------------ the steps


def finish_begun(home: Home, pipeline: str) -> Promotion | None:
    """The champion, once a promotion that was left half done is finished or undone."""
    ledger = Ledger.open(home)
    champion = ledger.champion(pipeline)
    if champion is None or champion.state != "begun":
        return champion
    log.info("Going on with the promotion of version %d of %s", champion.version, pipeline)
    carry_through(home, champion)
    return ledger.champion(pipeline)


def carry_through(home: Home, begun: Promotion) -> Promotion:
    """From `begun` to the end; every step may be repeated."""
    if begun.state != "begun":
        return begun
    ledger, pipeline = Ledger.open(home), begun.pipeline
    try:
        served = verified_model(home, pipeline, begun.version)
        correct_alias(home, pipeline, begun.previous, begun.version, begun.why, begun.approved_by)
        point_aliases(home, pipeline, begun.version, begun.previous)
    except ModelUnusable as error:
        return undo(home, begun, error.message)
    ledger.serve(served)
    complaint = watch_rollout(home, served, golden_rows(home, pipeline, begun.version))
    return undo(home, begun, complaint) if complaint else ledger.confirm(begun)


def undo(home: Home, begun: Promotion, why: str) -> Promotion:
    """All as it was before: the alias first, then, in one transaction, what is served and the ledger."""
    ledger, pipeline = Ledger.open(home), begun.pipeline
    before = next((p for p in reversed(ledger.champions(pipeline)) if p.seq != begun.seq), None)
    back = recorded_model(home, pipeline, before.version) if before else None
    try:
        point_aliases(home, pipeline, before.version if before else None, before.previous if before else None)
    except ModelUnusable as error:
        log.warning("%s", error)
    log.warning("Version %d of %s is not champion: %s", begun.version, pipeline, why)
    return ledger.revert(begun, why, back)


def served_version(home: Home, pipeline: str) -> int | None:
    found: list[ServedModel] = [s for s in Ledger.open(home).served() if s.pipeline == pipeline]
    return found[0].version if found else None


def golden_rows(home: Home, pipeline: str, version: int) -> Path:
    """The folder with rows whose answers are known, as evaluation left it beside the bundle."""
    return AttemptFolder.of_model(Ledger.open(home).trained(pipeline, version)).golden
