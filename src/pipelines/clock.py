"""What time it is."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

# A clock may be wrong, or in another zone; what is dated further ahead than this is a mistake.
AHEAD = timedelta(days=1)


def now() -> datetime:
    """This moment in UTC, without a zone: as the ledger, the tables and the prediction log keep time."""
    return datetime.now(UTC).replace(tzinfo=None)
