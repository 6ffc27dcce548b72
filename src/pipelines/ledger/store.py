"""All that the ledger has of one home folder, by subject."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pipelines.home import Home
from pipelines.ledger import audit
from pipelines.ledger.approvals import Approvals
from pipelines.ledger.attempts import Attempts
from pipelines.ledger.causes import Causes
from pipelines.ledger.engine import open_engine
from pipelines.ledger.intakes import Intakes
from pipelines.ledger.promotions import Promotions


@dataclass(frozen=True)
class Ledger(Intakes, Attempts, Promotions, Approvals, Causes):
    """The database of one home folder."""

    @classmethod
    def open(cls, home: Home) -> Ledger:
        return cls(open_engine(home.ledger))

    def note(self, pipeline: str, kind: str, subject: str, body: dict[str, Any]) -> None:
        """Log a decision that leaves no other trace here."""
        with self.writing() as connection:
            audit.append(connection, pipeline, kind, subject, body)

    def audit_log(self, pipeline: str) -> list[audit.AuditEntry]:
        """A pipeline's decisions, oldest first; `ledger.audit` exports and verifies them."""
        return audit.read_entries(self.engine, pipeline)
