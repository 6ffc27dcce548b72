"""The door: what a row may hold, and what is said of one that does not fit."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from typing import Any

import pandas as pd
import pytest

from pipelines.config import ColumnType
from pipelines.records import Task
from pipelines.serving.refusals import InvalidRow, MalformedBody, TooLarge
from pipelines.serving.schema import Schema, parse_body


@dataclass
class Signature:
    task: Task = "binary"
    features: list[str] = field(default_factory=lambda: ["x", "zone"])
    inputs: list[str] = field(default_factory=lambda: ["x", "zone", "at"])
    timestamp: str | None = "at"
    column_types: dict[str, ColumnType] = field(
        default_factory=lambda: {"x": "number", "zone": "category", "at": "time"}
    )

    def predict(self, frame: pd.DataFrame) -> pd.DataFrame:
        return frame


SCHEMA = Schema.of(Signature())
GOOD: dict[str, Any] = {"x": 1, "zone": "a", "at": "2026-05-01T13:00"}


def parse(*rows: Any) -> pd.DataFrame:
    return SCHEMA.frame(SCHEMA.parse(parse_body(json.dumps({"rows": rows}).encode())))


def test_a_row_becomes_typed_columns() -> None:
    frame = parse(GOOD, {"x": None, "zone": None, "at": None})
    assert frame.dtypes.astype(str).to_dict() == {"x": "float64", "zone": "object", "at": "datetime64[us]"}
    assert frame["x"][0] == 1.0
    assert frame["at"][0] == pd.Timestamp("2026-05-01 13:00")
    assert math.isnan(frame["x"][1])
    assert frame["zone"][1] is None
    assert frame["at"].isna()[1]


def test_a_frame_of_nothing_but_missing_values_keeps_its_types() -> None:
    dtypes = SCHEMA.missing_row().dtypes.astype(str)
    assert dtypes.to_dict() == {"x": "float64", "zone": "object", "at": "datetime64[us]"}


@pytest.mark.parametrize(
    ("sent", "label"),
    [(3, "3"), (3.0, "3"), ("3.0", "3"), (" a ", "a"), ("", None), (2.5, "2.5"), ("é", "é")],
)
def test_a_category_is_spelt_as_in_training_data(sent: object, label: str | None) -> None:
    assert parse({**GOOD, "zone": sent})["zone"][0] == label


def test_a_time_with_an_offset_becomes_utc() -> None:
    assert parse({**GOOD, "at": "2026-05-01T13:00:00+02:00"})["at"][0] == pd.Timestamp("2026-05-01 11:00")


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("x", "3"),
        ("x", True),
        ("x", math.nan),
        ("x", math.inf),
        ("x", 10**400),
        ("x", [1]),
        ("x", {}),
        ("zone", False),
        ("zone", -math.inf),
        ("zone", ["a"]),
        ("zone", "\ud800"),
        ("at", 1714568400),
        ("at", "3/12/2016"),
        ("at", "yesterday"),
        ("at", "0001-01-01"),
        ("at", "0001-01-01T00:00:00+05:00"),
        ("at", True),
    ],
)
def test_a_value_of_the_wrong_type_is_named_by_row_and_column(column: str, value: object) -> None:
    with pytest.raises(InvalidRow, match=rf"Row 2, column '{column}': found .*, expected "):
        parse(GOOD, {**GOOD, column: value})


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({**GOOD, "y": 1}, "Row 2 has columns that are not taken: 'y'"),
        ({**GOOD, "\ud800": 1}, "Row 2 has columns that are not taken"),
        ({"x": 1}, "Row 2 lacks columns: 'zone', 'at'"),
        ({}, "Row 2 lacks columns: 'x'"),
        ([1, "a"], "Row 2 is not an object"),
        (None, "Row 2 is not an object"),
    ],
)
def test_a_row_with_other_columns_is_named(row: object, said: str) -> None:
    with pytest.raises(InvalidRow, match=said):
        parse(GOOD, row)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"\xff\xfe\x00",
        b"[]",
        b"null",
        b'{"rows": {}}',
        b'{"rows": []}',
        b'{"instances": [{}]}',
        b'{"rows": [{}], "more": 1}',
        b"[" * 100_000,
        b'{"rows": [' + b"9" * 10_000 + b"]}",
    ],
)
def test_a_body_of_another_shape_is_refused(body: bytes) -> None:
    with pytest.raises(MalformedBody):
        parse_body(body)


def test_a_thousand_rows_are_taken_and_one_more_is_not() -> None:
    assert len(parse_body(json.dumps({"rows": [GOOD] * 1000}).encode())) == 1000
    with pytest.raises(TooLarge, match="1001 rows"):
        parse_body(json.dumps({"rows": [GOOD] * 1001}).encode())
