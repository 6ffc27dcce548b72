"""Requests for a person's decision, one for each attempt that waits for one."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from pipelines.clock import now
from pipelines.errors import UsageError
from pipelines.ledger import audit
from pipelines.ledger.engine import Database
from pipelines.ledger.outcomes import amend_outcome, is_awaited, store_outcome
from pipelines.ledger.tables import approvals, attempts
from pipelines.records import Approval, ApprovalState, TrainOutcome

COLUMNS = ("pipeline", "requested", "expires", "state", "by", "reason", "decided")
AGAIN = "Train again for another decision."


class Approvals(Database):
    """What waits for a person, and what was decided."""

    def ask_approval(self, approval: Approval, outcome: TrainOutcome) -> Approval:
        """Store a request and, with it, that the attempt waits; as it is stored.

        Asked again while it waits, it has no more time; approved and not yet carried out, it stays approved;
        asked again after any other decision, it is open again.
        """
        with self.writing() as connection:
            before = find(connection, approval.attempt)
            if before and before.state == "approved" and is_awaited(connection, approval.attempt):
                return before
            if before and before.state == "waiting":
                kept = {"requested": before.requested, "expires": before.expires}
                approval = approval.model_copy(update=kept)
            values = as_row(approval)
            statement = sqlite_insert(approvals).values(values)
            connection.execute(statement.on_conflict_do_update(index_elements=["id"], set_=values))
            store_outcome(connection, outcome)
            if before is None or before.state != "waiting":
                body = {"expires": approval.expires.isoformat(), "version": approval.promotion.version}
                audit.append(connection, approval.pipeline, "approval asked", approval.attempt, body)
        return approval

    def decide_approval(self, attempt: str, state: ApprovalState, by: str | None, reason: str) -> Approval:
        """Close a request that waits: of two who decide at once, one does. Approved twice, the first counts.

        What is not approved is kept out in the same transaction. Raises UsageError where nothing waits, where
        it was decided before, or where the time for a person's decision is over.
        """
        with self.writing() as connection:
            found = find(connection, attempt)
            if found is None or not is_awaited(connection, attempt):
                raise not_waiting(attempt, found)
            if found.state == state == "approved":
                return found
            if found.state != "waiting":
                raise not_waiting(attempt, found)
            if state != "expired" and found.expires <= now():
                raise UsageError(f"Nobody decided on attempt {attempt} in time.", AGAIN)
            decided = found.model_copy(update={"state": state, "by": by, "reason": reason, "decided": now()})
            connection.execute(sa.update(approvals).where(approvals.c.id == attempt).values(as_row(decided)))
            body = {"by": by, "reason": reason, "version": found.promotion.version}
            audit.append(connection, found.pipeline, f"approval {state}", attempt, body)
            if state != "approved":
                words = f"{state} by {by}: {reason}" if by else reason
                amend_outcome(connection, attempt, {"status": "rejected", "reason": words})
        return decided

    def abandon_approval(self, attempt: str, reason: str) -> None:
        """Store that what was approved can no longer be promoted, and why; it is to be judged again."""
        with self.writing() as connection:
            if is_awaited(connection, attempt):
                amend_outcome(connection, attempt, {"status": "inconclusive", "reason": reason})

    def approval(self, attempt: str) -> Approval:
        """The request of one attempt. Raises UsageError where there is none."""
        with self.engine.connect() as connection:
            found = find(connection, attempt)
        if found is None:
            raise not_waiting(attempt, None)
        return found

    def approvals(self, state: ApprovalState | None = None, pipeline: str | None = None) -> list[Approval]:
        """Requests, oldest first."""
        query = sa.select(approvals).order_by(approvals.c.requested)
        query = query.where(approvals.c.state == state) if state else query
        query = query.where(approvals.c.pipeline == pipeline) if pipeline else query
        return [from_row(row) for row in self._rows(query)]

    def awaited_approvals(self, pipeline: str) -> list[Approval]:
        """Requests whose attempts still wait, oldest first: undecided, or approved and not carried out."""
        query = sa.select(approvals).join(attempts, attempts.c.id == approvals.c.id)
        waits = attempts.c.outcome["status"].as_string() == "awaiting_approval"
        mine = approvals.c.pipeline == pipeline
        return [from_row(row) for row in self._rows(query.where(mine, waits).order_by(approvals.c.requested))]

    def overdue_approvals(self, moment: datetime) -> list[Approval]:
        """Requests that wait and that nobody may approve any more."""
        return [one for one in self.approvals("waiting") if one.expires <= moment]


def not_waiting(attempt: str, found: Approval | None) -> UsageError:
    if found is None or found.decided is None:
        return UsageError(f"No attempt {attempt} waits for a decision.", "`evergreen status` lists them.")
    who = f" by {found.by}" if found.by else ""
    return UsageError(
        f"Attempt {attempt} was {found.state}{who} on {found.decided:%Y-%m-%d %H:%M} UTC: {found.reason}.",
        AGAIN,
    )


def find(connection: sa.Connection, attempt: str) -> Approval | None:
    row = connection.execute(sa.select(approvals).where(approvals.c.id == attempt)).first()
    return from_row(row) if row else None


def as_row(approval: Approval) -> dict[str, Any]:
    body = approval.model_dump(mode="json", include={"promotion"})
    return {"id": approval.attempt, "body": body} | {name: getattr(approval, name) for name in COLUMNS}


def from_row(row: sa.Row[Any]) -> Approval:
    return Approval(
        attempt=row.id, promotion=row.body["promotion"], **{name: getattr(row, name) for name in COLUMNS}
    )
