"""How far each database has been read: the greatest value of a column that grows, future times apart.

A mark keeps the value as the driver gave it, and its kind: it is compared with its own kind alone, in the
order of the database, and goes back to it as it came.
"""

from __future__ import annotations

import hashlib
import math
import re
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from pipelines.clock import AHEAD, now
from pipelines.config import PipelineConfig, Watermark
from pipelines.data.sources import Source
from pipelines.errors import ConfigError
from pipelines.markdown import make_visible
from pipelines.records import Intake, Mark, MarkKind

CLOCK = r"\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?"
ISO = re.compile(rf"(\d{{4}}-\d\d-\d\d)(?:([T ])({CLOCK})\s*(Z|[+-]\d\d(?::?\d\d)?)?)?")
UNSORTED = re.compile(r"[\s\d.,:/+-]*")  # '10' stands before '9', '1/2/2025' before '2/1/2024'
TIMES = ("day", "time", "zoned", "text time")


@dataclass
class Watermarks:
    """The newest mark of each source, by its `uri`; none where nothing grows."""

    spec: Watermark | None
    marks: dict[str, Mark] = field(default_factory=dict)

    @classmethod
    def of(cls, config: PipelineConfig, taken: list[Intake]) -> Watermarks:
        reads = [read for intake in taken for read in intake.batch.sources]
        return cls(config.data.watermark, {read.uri: read.watermark for read in reads if read.watermark})

    def trail(self, source: Source) -> Trail | None:
        """Where reading a source starts; None where it has no column that grows.

        A mark is of one column of one table or query: of another one all is read.
        """
        if self.spec is None or source.watermark is None:
            return None
        said = f"{source.watermark}\n{source.table}\n{source.query}"
        origin = hashlib.sha256(said.encode()).hexdigest()[:16]
        mark = self.marks.get(source.uri)
        return Trail(self.spec, source.name, origin, mark if mark and mark.origin == origin else None)


@dataclass
class Trail:
    """A source on its way: `mark` is how far it came, `notes` what should be said of it."""

    spec: Watermark
    name: str
    origin: str
    mark: Mark | None = None
    notes: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.settled = self.mark is not None  # by an earlier reading; in the first all values must agree
        self.seen: set[MarkKind | None] = set()

    @property
    def after(self) -> Any:
        """The value from which to read on, less what may come late; None for all."""
        return None if self.mark is None else step_back(self.mark, self.spec, self.name)

    def see(self, values: list[Any]) -> None:
        """Move on over a chunk's values, which come in the database's order."""
        present = [value for value in values if is_there(value)]
        self.seen |= {kind_of(value) for value in present}
        if self.settled or (len(self.seen) == 1 and None not in self.seen):
            self.move(present)
        elif self.seen and not self.notes:
            self.mark = None
            self.notes.append(
                f"{self.name}: the values of its watermark {self.spec.column!r} have no order to go by,"
                f" such as {make_visible(str(present[-1])[:40])!r}: all rows are read each time."
                " CAST them to a number or a time in data.query."
            )

    def move(self, present: list[Any]) -> None:
        """To the last value of the kind that does not lie ahead of the clock."""
        kind = self.mark.kind if self.mark else next(iter(self.seen), None)
        for value in reversed(present):
            if kind is not None and kind_of(value) == kind and not is_ahead(value, kind):
                self.mark = Mark(kind=kind, value=written(value), origin=self.origin)
                check_late(self.mark, self.spec, self.name)
                return


def is_there(value: Any) -> bool:
    """Whether a value says where it stands: none is missing, and NaN is none."""
    return value is not None and not (isinstance(value, float | Decimal) and not math.isfinite(value))


def kind_of(value: Any) -> MarkKind | None:
    """What a value is compared with; None for what has no order that grows."""
    if isinstance(value, str):
        return kind_of_text(value)
    if isinstance(value, datetime):
        return "time" if value.tzinfo is None else "zoned"
    if isinstance(value, bool):
        return None
    kinds: tuple[tuple[Any, MarkKind], ...] = ((date, "day"), (int | float | Decimal, "number"))
    return next((kind for types, kind in kinds if isinstance(value, types)), None)


def kind_of_text(value: str) -> MarkKind | None:
    if parsed(value) is not None:
        return "text time"
    return None if UNSORTED.fullmatch(value) else "text"


def parsed(text: str) -> datetime | None:
    """The time that an ISO text tells; None where it tells none."""
    match = ISO.fullmatch(text)
    try:
        return datetime.fromisoformat(f"{match[1]}T{match[3] or '00:00'}{match[4] or ''}") if match else None
    except ValueError:
        return None


def is_ahead(value: Any, kind: MarkKind) -> bool:
    """Whether a time lies over a day ahead of the clock."""
    moment = parsed(value) if kind == "text time" else value
    if isinstance(moment, datetime):
        return moment > (datetime.now(UTC) if moment.tzinfo else now()) + AHEAD
    return isinstance(moment, date) and moment > (now() + AHEAD).date()


def written(value: Any) -> str:
    return value.isoformat() if isinstance(value, date) else str(value)


def bound(mark: Mark) -> Any:
    """The mark's value as the driver gave it."""
    if mark.kind == "number":
        whole = re.fullmatch(r"-?\d+", mark.value)
        number = int(mark.value) if whole else float(mark.value)
        return Decimal(number) if whole and abs(number) >= 1 << 63 else number  # no database's integer
    if mark.kind == "day":
        return date.fromisoformat(mark.value)
    return datetime.fromisoformat(mark.value) if mark.kind in ("time", "zoned") else mark.value


def check_late(mark: Mark, spec: Watermark, name: str) -> None:
    """Raises ConfigError where `late` is no distance between values of the mark's kind."""
    fits = mark.kind in TIMES if isinstance(spec.late, timedelta) else mark.kind == "number"
    if spec.late and not fits:
        wanted = "a duration, such as 2 days" if mark.kind in TIMES else "a number"
        wanted = "no `late`" if mark.kind == "text" else wanted
        raise ConfigError(
            f"data.watermark.late is {spec.late}, and {spec.column!r} of {name} has {mark.value!r}.",
            f"Expected {wanted}.",
        )


def step_back(mark: Mark, spec: Watermark, name: str) -> Any:
    """The mark's value less what may come late, in the same spelling; rather a little more than less."""
    value: Any = bound(mark)
    late: Any = spec.late
    check_late(mark, spec, name)
    if not late:
        return value
    if mark.kind == "text time":
        return earlier_text(value, late)
    if mark.kind == "day":
        return (datetime.combine(value, datetime.min.time()) - late).date()
    return value - (math.ceil(late) if isinstance(value, int | Decimal) else late)


def earlier_text(text: str, late: timedelta) -> str:
    """A time as text, so much earlier, spelled as it was."""
    match, moment = ISO.fullmatch(text), parsed(text)
    if match is None or moment is None:
        return text
    day, time = (moment - late).replace(tzinfo=None).isoformat(timespec="microseconds").split("T")
    if match[3] is None:
        return day
    rest = text[match.end(3) :]
    return f"{day}{match[2]}{time[: len(match[3])]}{rest}"
