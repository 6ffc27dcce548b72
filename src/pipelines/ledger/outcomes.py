"""How an attempt ended, inside the transaction of whatever else is decided with it."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from pipelines.clock import now
from pipelines.ledger import audit, tables
from pipelines.records import TrainOutcome


def read_outcome(connection: sa.Connection, attempt: str) -> TrainOutcome | None:
    table = tables.attempts
    found = connection.scalar(sa.select(table.c.outcome).where(table.c.id == attempt))
    return TrainOutcome.model_validate(found) if found else None


def store_outcome(
    connection: sa.Connection, outcome: TrainOutcome, by: str | None = None, why: str = "judged again"
) -> None:
    """An attempt's outcome; what is decided anew is logged, what only gets a time or a cost is not.

    With it a request for approval that waits is closed: by whom and why.
    """
    table, known = tables.attempts, read_outcome(connection, outcome.attempt or "")
    values = {"outcome": outcome.model_dump(mode="json")}
    connection.execute(sa.update(table).where(table.c.id == outcome.attempt).values(values))
    if outcome.attempt and (known is None or decision_of(known) != decision_of(outcome)):
        body = outcome.model_dump(mode="json", exclude={"pipeline", "attempt", "seconds", "cost"})
        audit.append(connection, outcome.pipeline, "attempt ended", outcome.attempt, body)
        close_request(connection, outcome, by, why)


def amend_outcome(
    connection: sa.Connection, attempt: str, changes: dict[str, Any], by: str | None = None, why: str = ""
) -> TrainOutcome:
    """Change what `changes` names of the outcome that is stored now; it must be there."""
    known = read_outcome(connection, attempt)
    assert known is not None  # noqa: S101  (the caller stored it)
    amended = TrainOutcome.model_validate(known.model_dump() | changes)
    store_outcome(connection, amended, by, why)
    return amended


def is_awaited(connection: sa.Connection, attempt: str) -> bool:
    """Whether the attempt's outcome is that it waits for a person."""
    known = read_outcome(connection, attempt)
    return known is not None and known.status == "awaiting_approval"


def close_request(connection: sa.Connection, outcome: TrainOutcome, by: str | None, why: str) -> None:
    """Whatever ends an attempt decides the request that waits for it: there is one truth."""
    table = tables.approvals
    if outcome.attempt is None or outcome.status == "awaiting_approval":
        return
    state = "approved" if outcome.status == "promoted" else "rejected"
    values = {"state": state, "by": by, "reason": why, "decided": now()}
    waits = (table.c.id == outcome.attempt) & (table.c.state == "waiting")
    if connection.execute(sa.update(table).where(waits).values(values)).rowcount:
        body = {"by": by, "reason": why}
        audit.append(connection, outcome.pipeline, f"approval {state}", outcome.attempt, body)


def decision_of(outcome: TrainOutcome) -> tuple[object, ...]:
    """What of an outcome is a decision."""
    return outcome.status, outcome.reason, [(g.name, g.verdict) for g in outcome.gates]
