"""How an attempt ended, inside the transaction of whatever else is decided with it."""

from __future__ import annotations

import sqlalchemy as sa

from pipelines.ledger import audit, tables
from pipelines.records import TrainOutcome


def read_outcome(connection: sa.Connection, attempt: str) -> TrainOutcome | None:
    table = tables.attempts
    found = connection.scalar(sa.select(table.c.outcome).where(table.c.id == attempt))
    return TrainOutcome.model_validate(found) if found else None


def store_outcome(connection: sa.Connection, outcome: TrainOutcome) -> None:
    """An attempt's outcome; what is decided anew is logged, what only gets a time or a cost is not."""
    table, known = tables.attempts, read_outcome(connection, outcome.attempt or "")
    values = {"outcome": outcome.model_dump(mode="json")}
    connection.execute(sa.update(table).where(table.c.id == outcome.attempt).values(values))
    if outcome.attempt and (known is None or decision_of(known) != decision_of(outcome)):
        body = outcome.model_dump(mode="json", exclude={"pipeline", "attempt", "seconds", "cost"})
        audit.append(connection, outcome.pipeline, "attempt ended", outcome.attempt, body)


def decision_of(outcome: TrainOutcome) -> tuple[object, ...]:
    """What of an outcome is a decision."""
    return outcome.status, outcome.reason, [(g.name, g.verdict) for g in outcome.gates]
