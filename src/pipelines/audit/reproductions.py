"""Versions that were made again, kept in the audit log: the only proof that trainings can be repeated."""

from __future__ import annotations

from collections.abc import Iterable

from pipelines.audit.evidence import Reproduced
from pipelines.home import Home
from pipelines.ledger import Ledger
from pipelines.ledger.audit import AuditEntry
from pipelines.reproduction import Reproduction

KIND = "reproduced"


def keep_reproduction(home: Home, found: Reproduction) -> None:
    """Log what came out, also where it does not agree."""
    body = {
        "agrees": found.agrees,
        "attempt": found.attempt,
        "files": {name: file.equal for name, file in found.weights.files.items()},
        "metrics": {name: metric.reproduced for name, metric in found.metrics.items()},
        "largest_difference": found.weights.largest_difference,
        "environment": found.environment,
        "seconds": found.seconds,
    }
    subject = f"{found.pipeline}:{found.version}"
    Ledger.open(home).note(found.pipeline, KIND, subject, body)


def read_reproductions(entries: Iterable[AuditEntry]) -> list[Reproduced]:
    """Those of an audit log, oldest first."""
    return [
        Reproduced(
            seq=entry.seq,
            time=entry.time,
            version=int(entry.subject.rpartition(":")[2]),
            agrees=entry.body["agrees"],
            told=entry.body,
        )
        for entry in entries
        if entry.kind == KIND
    ]
