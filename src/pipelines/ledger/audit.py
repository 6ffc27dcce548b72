"""The audit log: every decision that matters, each entry with the hash of the one before it.

A pipeline has a chain of its own, so that what is exported of it can be verified by itself. The chain shows
that an entry was changed, taken out, put in or moved. It cannot show that the newest entries were cut off,
nor that all of it was written anew: for that the last hash must be known from elsewhere, such as a mail or a
ticket. `last_hash` gives it, and `find_fault` compares with it.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from pipelines.clock import now
from pipelines.ledger.tables import audit_log
from pipelines.records import Record

NOTHING = "0" * 64  # what the first entry has for the hash before it


class AuditEntry(Record):
    """One decision: `kind` says what was decided, `subject` of what, `body` the rest; `time` is UTC."""

    pipeline: str
    seq: int
    time: datetime
    kind: str
    subject: str
    body: dict[str, Any]
    previous: str
    hash: str

    @property
    def line(self) -> str:
        """The entry as one line of canonical JSON: sorted keys, no blanks, ASCII."""
        content = self.model_dump() | {"time": self.time.isoformat()}
        return json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)

    def digest(self) -> str:
        """sha256, in hex, of all but its own hash; the hash of the entry before it is part of it."""
        return hashlib.sha256(self.model_copy(update={"hash": ""}).line.encode()).hexdigest()


def finite(value: Any) -> Any:
    """The value with None for numbers that JSON does not know."""
    if isinstance(value, dict):
        return {key: finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def append(connection: sa.Connection, pipeline: str, kind: str, subject: str, body: dict[str, Any]) -> None:
    """Add an entry in the caller's transaction, which must be one of `Ledger.writing`: no chain forks."""
    last = connection.execute(
        sa.select(audit_log.c.seq, audit_log.c.hash)
        .where(audit_log.c.pipeline == pipeline)
        .order_by(audit_log.c.seq.desc())
        .limit(1)
    ).first()
    entry = AuditEntry(
        pipeline=pipeline,
        seq=last.seq + 1 if last else 1,
        time=now(),
        kind=kind,
        subject=subject,
        body=finite(body),
        previous=last.hash if last else NOTHING,
        hash="",
    )
    connection.execute(sa.insert(audit_log).values(entry.model_dump() | {"hash": entry.digest()}))


def read_entries(engine: sa.Engine, pipeline: str) -> list[AuditEntry]:
    """A pipeline's entries, oldest first."""
    query = sa.select(audit_log).where(audit_log.c.pipeline == pipeline).order_by(audit_log.c.seq)
    with engine.connect() as connection:
        return [AuditEntry(**row._asdict()) for row in connection.execute(query)]


def last_hash(entries: list[AuditEntry]) -> str:
    """What to keep elsewhere, so that a log that was cut off or written anew can be told."""
    return entries[-1].hash if entries else NOTHING


def export(entries: list[AuditEntry]) -> str:
    """The log as JSON Lines, as `find_fault` reads it."""
    return "".join(f"{entry.line}\n" for entry in entries)


def find_fault(lines: Iterable[str], last: str | None = None) -> str | None:
    """What is wrong first, with the number of its line; None where every entry is as it was written.

    With `last`, the hash that the log is known to have ended with, it shows, too, where entries up to there
    were cut off, or all was written anew; entries may have come since.
    """
    previous, number, found = NOTHING, 0, last in (None, NOTHING)
    for number, line in enumerate(lines, 1):
        if fault := fault_of(line.rstrip("\n"), number, previous):
            return f"Line {number}: {fault}"
        previous = json.loads(line)["hash"]
        found = found or previous == last
    if not found:
        return f"After line {number}: entries are missing, or all was written anew: none has the hash {last}."
    return None


def fault_of(line: str, number: int, previous: str) -> str | None:
    """What is wrong with one line of a log."""
    try:
        entry = AuditEntry.model_validate_json(line)
        changed = line != entry.line or entry.digest() != entry.hash
    except ValueError:
        return "this is no entry of an audit log."
    if changed:
        return "the entry was changed after it was written: its hash is another."
    if entry.seq != number or entry.previous != previous:
        return f"entry {number} was expected after the one before it; this is entry {entry.seq}."
    return None
