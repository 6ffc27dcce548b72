"""The door: a JSON body becomes typed columns, or a refusal that names row and column."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from pipelines.config import ColumnType
from pipelines.scoring import Scorer, accepted_types
from pipelines.serving.refusals import InvalidRow, MalformedBody, TooLarge

if TYPE_CHECKING:
    from pandas import DataFrame

MOST_ROWS = 1000
YEARS = range(1678, 2262)  # what a datetime in nanoseconds can hold, in whole years
EXPECTED = {
    "number": "a finite number",
    "category": "text (or a number as its label)",
    "text": "text",
    "time": 'a time as ISO 8601 text, such as "2026-05-01T13:00"',
}

WHOLE = re.compile(r"^([+-]?\d+)\.0+$")

Value = float | str | datetime | None
Columns = dict[str, list[Value]]


def parse_body(body: bytes) -> list[object]:
    """The rows of a request, not yet looked into. Raises MalformedBody or TooLarge."""
    shape = 'Send {"rows": [{"column": value, ...}, ...]} as JSON, with 1 to 1000 rows.'
    try:
        content = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise MalformedBody(f"The body is not JSON: {error}.", shape) from error
    rows = content.get("rows") if isinstance(content, dict) else None
    if not isinstance(rows, list) or len(content) != 1:
        raise MalformedBody('The body is not an object with "rows", a list, as its only key.', shape)
    if not rows:
        raise MalformedBody("The body has no rows.", shape)
    if len(rows) > MOST_ROWS:
        raise TooLarge(f"The body has {len(rows)} rows, the most is {MOST_ROWS}.", "Send them in parts.")
    return rows


def to_number(value: object) -> float:
    """A finite number; missing is NaN. Raises ValueError (booleans and text too) or OverflowError."""
    if value is None:
        return math.nan
    if (
        isinstance(value, bool)
        or not isinstance(value, int | float)
        or not math.isfinite(number := float(value))
    ):
        raise ValueError
    return number


def to_text(value: object) -> str | None:
    """Text without blanks around; empty is missing, as in a file. Raises ValueError."""
    if value is None:
        return None
    text = value.strip() if isinstance(value, str) else str(to_number(value))
    text.encode("utf-8")  # a lone surrogate is legal JSON and could never be logged
    return text or None


def to_label(value: object) -> str | None:
    """A category; whole numbers are labels without decimals (3, 3.0, "3.0" are "3"), as in training data."""
    text = to_text(value)
    return WHOLE.sub(r"\1", text) if text else text


def to_time(value: object) -> datetime | None:
    """A naive time, as written; one with an offset becomes UTC, as in training data. Raises ValueError."""
    if value is None or value == "":
        return None
    if not isinstance(value, str):
        raise ValueError
    time = datetime.fromisoformat(value.strip())
    if time.tzinfo is not None:
        time = time.astimezone(UTC).replace(tzinfo=None)
    if time.year not in YEARS:
        raise ValueError
    return time


CONVERTERS: dict[ColumnType, Callable[[object], Value]] = {
    "number": to_number,
    "category": to_label,
    "text": to_text,
    "time": to_time,
}


@dataclass(frozen=True)
class Schema:
    """A model's signature: `types` of the columns that it takes, of which `required` must be sent."""

    types: dict[str, ColumnType]
    required: frozenset[str]

    @classmethod
    def of(cls, bundle: Scorer) -> Schema:
        return cls(accepted_types(bundle), frozenset(bundle.inputs))

    def parse(self, rows: list[object]) -> Columns:
        """The rows as columns of typed values. Raises InvalidRow at the first row that does not fit."""
        records = [self.check_names(number, row) for number, row in enumerate(rows, 1)]
        return {name: convert(records, name, kind) for name, kind in self.types.items()}

    def check_names(self, number: int, row: object) -> dict[str, object]:
        """The row itself, if it is an object with the right columns."""
        if not isinstance(row, dict):
            raise InvalidRow(f"Row {number} is not an object.", 'A row is {"column": value, ...}.')
        unknown = [name for name in row if name not in self.types]
        missing = [name for name in self.types if name in self.required and name not in row]
        hint = f"The columns are: {', '.join(self.types)}; a value that is not known is null."
        if unknown:
            raise InvalidRow(f"Row {number} has columns that are not taken: {quoted(unknown)}.", hint)
        if missing:
            raise InvalidRow(f"Row {number} lacks columns: {quoted(missing)}.", hint)
        return row

    def frame(self, columns: Columns) -> DataFrame:
        """Parsed columns as a frame: float64, objects (text or None), datetime64[us]."""
        import numpy as np
        import pandas as pd

        dtypes = {"number": "float64", "category": "object", "text": "object", "time": "datetime64[us]"}
        return pd.DataFrame(
            {name: np.array(columns[name], dtype=dtypes[kind]) for name, kind in self.types.items()}
        )

    def missing_row(self) -> DataFrame:
        """A frame of one row in which every value is missing: what a model is warmed with."""
        return self.frame(self.parse([dict.fromkeys(self.types)]))


def convert(records: list[dict[str, object]], name: str, kind: ColumnType) -> list[Value]:
    """One column of all rows, typed. Raises InvalidRow naming row and column."""
    converter = CONVERTERS[kind]
    values: list[Value] = []
    for number, record in enumerate(records, 1):
        try:
            values.append(converter(record.get(name)))
        except (ValueError, OverflowError) as error:
            found = ascii(record[name])[:60]  # as ASCII: the value may not be encodable
            raise InvalidRow(
                f"Row {number}, column {name!r}: found {found}, expected {EXPECTED[kind]}.",
                "Or null, if not known.",
            ) from error
    return values


def quoted(names: list[str]) -> str:
    """Up to ten names for a message, in ASCII, as a caller may have sent anything."""
    shown = ", ".join(ascii(name)[:60] for name in names[:10])
    return shown if len(names) <= 10 else f"{shown} and {len(names) - 10} more"
