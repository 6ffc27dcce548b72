"""`evergreen history`: who was champion when, why, who approved it, what it cost and what the gates said."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from evergreen.console import Answer, out, print_table
from evergreen.views import batch_words, cost_words, describe_attempts, describe_batches
from pipelines.clock import now
from pipelines.costs import promotion_costs
from pipelines.errors import UsageError
from pipelines.home import Home
from pipelines.ledger import Ledger
from pipelines.records import Cost, GateVerdict, Promotion
from pipelines.registration import open_pipeline

MOST_BATCHES = 20  # of the history, the newest; --json has all


def history(
    pipeline: Annotated[str, typer.Argument(help="Name of a known pipeline, or path of its pipeline.yaml.")],
    at: Annotated[
        str | None,
        typer.Option(help="A moment, in UTC or with a zone: 2026-05-01T13:00+02:00."),
    ] = None,
) -> Answer:
    """Who was champion when, why and by whose word, or at one moment; every attempt and batch."""
    home = Home.at()
    if at is not None:
        found = describe_moment(home, pipeline, read_moment(at))
        return found, lambda: show_moment(found), 0
    answer = describe_history(home, pipeline)
    return answer, lambda: show_history(answer), 0


# ------------------------------------------------------------------------------------------------ one moment


def read_moment(text: str) -> datetime:
    """A moment in UTC, without a zone; a day is its first moment. Raises UsageError, also for the future."""
    try:
        moment = datetime.fromisoformat(text.strip())
        if moment.tzinfo is not None:
            moment = moment.astimezone(UTC).replace(tzinfo=None)
    except (ValueError, OverflowError) as error:
        raise UsageError(
            f"{text!r} is no moment.", "Say it as 2026-05-01, 2026-05-01T13:00 or 2026-05-01T13:00+02:00."
        ) from error
    if moment > now():
        raise UsageError(f"{moment:%Y-%m-%d %H:%M} UTC lies ahead.", "The history knows what has been.")
    return moment


def describe_moment(home: Home, pipeline: str, moment: datetime) -> dict[str, Any]:
    """The champion of one moment, null where there was none; `words` say it. Times are UTC."""
    name = open_pipeline(home, pipeline).pipeline
    champions = describe_champions(Ledger.open(home), name)
    found = next((c for c in reversed(champions) if datetime.fromisoformat(c["since"]) <= moment), None)
    said = f"{moment:%Y-%m-%d %H:%M:%S} UTC"
    if found is not None:
        words = f"At {said} version {found['version']} was champion of {name}."
    elif champions:
        first = champions[0]
        since = f"{first['since'][:19].replace('T', ' ')} UTC"
        words = f"At {said} {name} had no champion: the first, version {first['version']}, came at {since}."
    else:
        words = f"{name} has had no champion yet."
    return {"pipeline": name, "at": moment.isoformat(), "champion": found, "words": words}


def show_moment(answer: dict[str, Any]) -> None:
    out.print(answer["words"], markup=False, soft_wrap=True)
    champion = answer["champion"]
    if champion:
        lines = {
            name: champion[name] for name in ("since", "until", "why", "approved_by", "attempt", "cause")
        }
        lines["cost"] = cost_words(champion["cost"])
        print_table("Champion (UTC)", ["what", "value"], ([k, v] for k, v in lines.items() if v))
        gates = ([gate["name"], gate["verdict"], gate["reason"]] for gate in champion["gates"])
        print_table("Gates", ["gate", "verdict", "reason"], gates)


# ------------------------------------------------------------------------------------------------ all of it


def describe_history(home: Home, pipeline: str) -> dict[str, Any]:
    """Champions, undone promotions, versions, attempts and batches of a pipeline, oldest first; UTC."""
    name, ledger = open_pipeline(home, pipeline).pipeline, Ledger.open(home)
    undone = [
        {"version": p.version, "since": p.since.isoformat(), "why": p.undone, "attempt": p.attempt}
        for p in ledger.promotions(name)
        if p.state == "reverted"
    ]
    attempts = describe_attempts(ledger, name)
    versions = [
        {"version": one["version"], "attempt": one["id"], "cost": one["cost"]}
        for one in attempts
        if one["version"] is not None
    ]
    return {
        "pipeline": name,
        "champions": describe_champions(ledger, name),
        "undone": undone,
        "versions": versions,
        "attempts": attempts,
        "batches": describe_batches(ledger, name),
    }


def describe_champions(ledger: Ledger, name: str) -> list[dict[str, Any]]:
    """Each reign; its cost is that of its promotion: all attempts since the promotion before."""
    promotions, attempts = ledger.champions(name), ledger.attempts(name)
    costs = promotion_costs(attempts, promotions)
    gates = {one.id: one.outcome.gates for one in attempts if one.outcome}
    return [describe_champion(p, costs[p.seq], gates.get(p.attempt, [])) for p in promotions]


def describe_champion(promotion: Promotion, cost: Cost, gates: list[GateVerdict]) -> dict[str, Any]:
    return {
        "version": promotion.version,
        "since": promotion.since.isoformat(),
        "until": promotion.until.isoformat() if promotion.until else None,
        "why": promotion.why,
        "approved_by": promotion.approved_by,
        "state": promotion.state,
        "attempt": promotion.attempt,
        "cause": promotion.cause,
        "gates": [gate.model_dump() for gate in gates],
        "cost": cost.model_dump(),
    }


def show_history(answer: dict[str, Any]) -> None:
    rows = (
        [c["version"], c["since"][:19], until_words(c), c["why"], c["approved_by"], cost_words(c["cost"])]
        for c in answer["champions"]
    )
    head = ["version", "since", "until", "why", "approved by", "cost since the one before"]
    print_table(f"Champions of {answer['pipeline']} (UTC)", head, rows)
    if answer["undone"]:
        undone = ([u["version"], u["since"][:19], u["why"]] for u in answer["undone"])
        print_table("Undone promotions", ["version", "begun", "why it was undone"], undone)
    tried = (
        [a["id"], a["started"][:19], a["status"], a["version"], attempt_reason(a), cost_words(a["cost"])]
        for a in answer["attempts"]
    )
    print_table("Attempts", ["attempt", "started", "status", "version", "reason", "cost"], tried)
    taken = ([b["id"], batch_words(b), b["version"]] for b in answer["batches"][-MOST_BATCHES:])
    print_table("Batches", ["batch", "what became of its rows", "snapshot"], taken)


def until_words(champion: dict[str, Any]) -> str:
    """When a reign ended; of one that has just begun, that the service was not seen to answer yet."""
    return "not confirmed yet" if champion["state"] == "begun" else (champion["until"] or "")[:19]


def attempt_reason(attempt: dict[str, Any]) -> str:
    """Why an attempt was made, and why it failed or was undone where it was."""
    failure = f"{attempt['status']}: {attempt['failure']}" if attempt["failure"] else ""
    return "; ".join(filter(None, [attempt["reason"], failure]))
