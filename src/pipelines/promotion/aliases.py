"""An alias that somebody moved in MLflow: noticed, told, and never followed by itself."""

from __future__ import annotations

from pipelines.errors import StackError
from pipelines.home import Home
from pipelines.ledger import Ledger
from pipelines.progress import log
from pipelines.registry.aliases import champion_alias, has_version, point_challenger, require_answer


def describe_alias(home: Home, pipeline: str) -> str | None:
    """What is wrong with MLflow's alias `champion` and how to accept or undo it; None where all agree.

    While a promotion is under way, nothing is. Raises StackError where MLflow does not answer.
    """
    ledger = Ledger.open(home)
    champion = ledger.champion(pipeline)
    registered = champion or any(one.version for one in ledger.attempts(pipeline))
    if not registered or (champion and champion.state == "begun"):
        return None
    require_answer(home)
    found, own = champion_alias(home, pipeline), champion.version if champion else None
    if found == own:
        return None
    return alias_words(pipeline, found, own, own is not None and not has_version(home, pipeline, own))


def alias_words(pipeline: str, found: int | None, own: int | None, deleted: bool) -> str:
    """What somebody did in MLflow: `found` has the alias, `own` is champion, or deleted there."""
    name, undo = f"The alias champion of {pipeline} was", f"`evergreen deploy {pipeline}`"
    accept = f"`evergreen deploy {pipeline} --version {found}` accepts that, {undo} undoes it."
    if deleted:
        return (
            f"Version {own} of {pipeline} is champion and was deleted in MLflow, which gives no number twice;"
            f" its own files serve on. `evergreen deploy {pipeline} --version N` chooses another, `evergreen"
            " train` makes a new one."
        )
    if own is None:
        return f"{name} given to version {found} in MLflow; there is no champion yet. {accept}"
    if found is None:
        return f"{name} taken away in MLflow; version {own} is champion. {undo} puts it back."
    return f"{name} moved in MLflow to version {found}; version {own} is champion and served. {accept}"


def warn_of_alias(home: Home, pipeline: str) -> str | None:
    """Log it where somebody moved the alias; that MLflow does not answer is said, too, and stops nobody."""
    try:
        words = describe_alias(home, pipeline)
    except StackError as error:
        words = str(error)
    if words:
        log.warning("%s", words)
    return words


def follow_challenger(home: Home, pipeline: str) -> None:
    """Point MLflow's alias `challenger` to the newest version that waits for a person, if any does.

    That MLflow does not answer is said, and stops nobody: maintenance comes again.
    """
    waiting = Ledger.open(home).awaited_approvals(pipeline)
    try:
        require_answer(home)
        point_challenger(home, pipeline, waiting[-1].promotion.version if waiting else None)
    except StackError as error:
        log.warning("%s", error)


def correct_alias(
    home: Home,
    pipeline: str,
    expected: int | None,
    to: int | None,
    why: str | None = None,
    by: str | None = None,
) -> None:
    """Log that a moved alias is about to point to `to` again, who wants it and why; the caller moves it."""
    found = champion_alias(home, pipeline)
    if found not in (expected, to):
        body = {"found": found, "expected": expected, "to": to, "why": why, "by": by}
        Ledger.open(home).note(pipeline, "alias corrected", f"{pipeline}@champion", body)
