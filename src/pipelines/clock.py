"""What time it is."""

from __future__ import annotations

from datetime import UTC, datetime


def now() -> datetime:
    """This moment in UTC, without a zone: as the ledger, the tables and the prediction log keep time."""
    return datetime.now(UTC).replace(tzinfo=None)
