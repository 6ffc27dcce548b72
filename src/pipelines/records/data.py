"""Rows on their way in: what was read, how it was checked, and the snapshot that has it."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pipelines.records.base import Record

OnFailure = Literal["quarantine", "fail", "warn"]
MarkKind = Literal["number", "day", "time", "zoned", "text", "text time"]
IntakeState = Literal["staged", "accepted", "refused"]


class Mark(Record):
    """How far a database has been read: a value as the driver gave it, written as text, and its kind.

    `origin` is a hash of the column and the table or query: of others it says nothing.
    """

    kind: MarkKind
    value: str
    origin: str


class SourceRead(Record):
    """What was read of one source; `stamp` changes when its content may have, `found` says how it is written.

    `found` has, as far as they apply: format, compression, encoding, delimiter, quote, decimal, header.
    """

    uri: str  # without passwords
    stamp: str
    rows: int
    bytes: int | None = None
    found: dict[str, str] = {}
    watermark: Mark | None = None  # of a database with a column that grows


class Batch(Record):
    """New rows, staged as Parquet files `part-*.parquet` in `folder`; `known` rows were held before.

    A part has the definition's columns, `_row` (int64, hash of the content) and `_seq` (int64, the order of
    intake, unique in the pipeline). `problems.parquet` beside them names what was seen while reading: `_seq`,
    `rule`, `column`, `found`, `expected`. Read = rows + known.
    """

    pipeline: str
    id: str
    folder: str
    rows: int
    known: int
    sources: list[SourceRead]
    unchanged: int = 0  # sources that were taken in before and not read again
    problems: int = 0  # lines of problems.parquet
    form: str = ""  # what the definition said of reading, as JSON: rows of another form are read anew
    rebuilt: bool = False  # it has all rows, in the form of a changed definition
    replays: bool = False  # it brings rows back from quarantine; they keep their `_seq`
    warnings: list[str] = []


class RuleResult(Record):
    """What one check found: `unexpected` rows with `examples` (row rules), or a message (batch rules)."""

    rule: str
    column: str | None
    on_failure: OnFailure
    passed: bool
    unexpected: int = 0
    message: str
    examples: list[str] = []


class ValidationReport(Record):
    """The verdict on a batch: rows = accepted + quarantined, or all refused with the reason."""

    pipeline: str
    batch: str
    rows: int
    quarantined: int
    results: list[RuleResult]
    refused: str | None = None
    warnings: list[str] = []
    failures_path: str | None = None  # Parquet: _seq (int64, row of the batch), reason (string)

    @property
    def accepted(self) -> int:
        return 0 if self.refused else self.rows - self.quarantined


class RowCounts(Record):
    """Where the rows of a batch went: read = known + accepted + quarantined + refused, once it is judged."""

    read: int
    known: int
    accepted: int = 0
    quarantined: int = 0
    refused: int = 0

    def __str__(self) -> str:
        return (
            f"read {self.read:,} = {self.known:,} known + {self.accepted:,} accepted"
            f" + {self.quarantined:,} quarantined + {self.refused:,} refused"
        )


def count_rows(batch: Batch, report: ValidationReport) -> RowCounts:
    """The row arithmetic of a judged batch; every place that shows it takes it from here."""
    counts = {"read": batch.rows + batch.known, "known": batch.known}
    if report.refused is not None:
        return RowCounts(**counts, refused=batch.rows)
    return RowCounts(**counts, accepted=batch.rows - report.quarantined, quarantined=report.quarantined)


class Intake(Record):
    """A batch in the ledger: what was read, what the checks said, and the snapshot that it made."""

    batch: Batch
    state: IntakeState
    created: datetime
    report: ValidationReport | None = None
    version: int | None = None  # of the snapshot that has its rows

    @property
    def counts(self) -> RowCounts | None:
        """None while the batch waits for its checks."""
        return None if self.report is None else count_rows(self.batch, self.report)


class Snapshot(Record):
    """A pipeline's data at one moment: Delta table `uri` at `version`, content `fingerprint` (hex)."""

    pipeline: str
    uri: str
    version: int
    rows: int
    fingerprint: str

    @property
    def id(self) -> str:
        return f"{self.pipeline}@{self.version}"
