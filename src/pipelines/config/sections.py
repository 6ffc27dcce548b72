"""The parts of a definition that say what comes in, what may pass, and what is watched."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from pipelines.records import OnFailure

ColumnType = Literal["number", "category", "time", "text"]
UNITS = {"minute": 60, "hour": 3600, "day": 86400, "week": 604800}


def parse_duration(value: object) -> object:
    """`7 days`, `1 hour`, `30 minutes`, `2 weeks` as a timedelta; anything else is left to pydantic."""
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*(minute|hour|day|week)s?\s*", str(value))
    try:
        return timedelta(seconds=float(match[1]) * UNITS[match[2]]) if match else value
    except OverflowError as error:
        raise ValueError("longer than any calendar") from error


Duration = Annotated[timedelta, BeforeValidator(parse_duration), Field(ge=timedelta(0))]
Span = Annotated[Duration, Field(gt=timedelta(0))]  # where nothing happens in no time
Names = Annotated[list[str], BeforeValidator(lambda v: [v] if isinstance(v, str) else v)]


class Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Format(Section):
    """How text files are written; what is not given is found out, file by file, and said in the report."""

    delimiter: str | None = Field(None, min_length=1, max_length=1)
    quote: str | None = Field(None, max_length=1)  # "" where nothing is quoted
    decimal: Literal[".", ","] = "."
    thousands: Literal[",", ".", " ", "'"] | None = None
    encoding: str | None = None
    header: bool = True
    missing: list[str] = []
    day_first: bool = False
    most_expansion: int = Field(100, ge=1)  # a compressed file that grows more than so many times is refused


class Watermark(Section):
    """A column that grows, time or key: a SQL source is read from the last value on, less `late`."""

    column: str
    late: Duration | float = 0.0


class Data(Section):
    """Where rows come from: files, folders, globs, addresses that fsspec knows, or a database.

    `${NAME}` in an address stands for an environment variable, so that no password is written here.
    """

    source: str | list[str]
    table: str | None = None  # of a database; or
    query: str | None = None
    target: str
    timestamp: str | None = None
    key: Names = []
    entity: str | None = None  # the column that says whom or what a row is of, where one has several rows
    watermark: Watermark | None = None
    retention: Span = timedelta(days=365)  # older snapshots may go, but for those that live models come from
    format: Format = Format()


class Column(Section):
    """`also` are other names that the column has in some files; an `optional` one may be absent there."""

    type: ColumnType
    use: bool = True
    also: list[str] = []
    optional: bool = False
    why: str = ""


class Check(Section):
    """One expectation in Great Expectations' own name and arguments."""

    expectation: str
    arguments: dict[str, Any] = {}
    on_failure: OnFailure = "quarantine"

    @model_validator(mode="before")
    @classmethod
    def from_short_form(cls, value: Any) -> Any:
        """`{expect_x: {column: a}, on_failure: fail}` is how it is written in YAML."""
        if not isinstance(value, dict) or "expectation" in value:
            return value
        names = [k for k in value if str(k).startswith("expect_") or k == "unexpected_rows_expectation"]
        if len(names) != 1:
            raise ValueError("a check has one key that starts with expect_ and, if wanted, on_failure")
        rest = {key: item for key, item in value.items() if key != names[0]}
        return {"expectation": names[0], "arguments": value[names[0]] or {}, **rest}


class DriftCheck(Section):
    """Each column of a batch against the last accepted snapshot, by total variation distance (0 to 1)."""

    most: float = Field(0.6, gt=0, le=1)
    minimum_rows: int = Field(200, ge=20)
    on_failure: Literal["fail", "warn"] = "warn"
    reversed: Literal["fail", "warn"] = "fail"  # columns tell the opposite of the target: flipped labels


class Validation(Section):
    checks: list[Check] = []
    most_quarantined: float = Field(0.1, ge=0, le=1)
    future: OnFailure | None = "quarantine"  # rows dated over a day ahead of the clock; null lets them in
    drift: DriftCheck | None = DriftCheck()


class Split(Section):
    """Shares of the rows held back.

    By time, the latest are the test and those before them the validation part; by group, all rows of an
    entity are in one part.
    gap: with a split by time, so long before the test part, and before the validation part, rows are left
    out: their labels would not have been known yet.
    """

    by: Literal["time", "group", "random"] = "random"
    validation: float = Field(0.2, gt=0, lt=1)
    test: float = Field(0.2, gt=0, lt=1)
    gap: Duration = timedelta(0)


class Monitoring(Section):
    schedule: str = "0 6 * * *"
    window: Span = timedelta(days=7)
    origin: datetime = datetime(
        1970, 1, 5
    )  # windows are counted from here: a Monday, so weeks begin on Mondays
    minimum_rows: int = Field(200, ge=10)
    drifted_share: float = Field(0.3, gt=0, le=1)
    quality_tolerance: float = Field(
        0.25, ge=0
    )  # share of the expected metric that the realised one may be worse by


class Retraining(Section):
    when: list[Literal["drift", "degraded"]] = ["degraded"]
    cooldown: Duration = timedelta(days=7)
    schedule: str | None = None
