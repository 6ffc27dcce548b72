"""Our own database: attempts, promotions, causes, windows. It answers who was champion when, and why."""

from pipelines.ledger.store import Ledger

__all__ = ["Ledger"]
