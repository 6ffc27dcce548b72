"""Columns in the types of the definition: the short way says what the long one does; no cell goes unnamed."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.config import Format, PipelineConfig
from pipelines.data.ingestion.conversion import (
    TOO_LARGE,
    by_spelling,
    convert_array,
    convert_table,
    flatten,
)
from pipelines.data.ingestion.fingerprints import fingerprint
from pipelines.data.ingestion.schema import likely_type


def definition(fmt: dict[str, Any] | None = None, **types: str) -> PipelineConfig:
    return PipelineConfig.model_validate(
        {
            "pipeline": "p",
            "task": "regression",
            "metric": "rmse",
            "data": {"source": "x", "target": "y", "format": fmt or {}},
            "columns": {name: {"type": kind} for name, kind in {**types, "y": "number"}.items()},
        }
    )


@pytest.mark.parametrize(
    ("kind", "given", "expected"),
    [
        ("number", ["1", " 2.5 ", "-3e2", None], [1.0, 2.5, -300.0, None]),
        ("number", ["1", "abc", "inf", "1e999", "nan"], [1.0, None, None, None, None]),
        ("number", [1, 2**60], [1.0, float(2**60)]),
        ("number", [1.5, float("nan"), float("inf"), -0.0], [1.5, None, None, 0.0]),
        (
            "time",
            ["2020-01-02", "2020-01-02 03:04:05"],
            [datetime(2020, 1, 2), datetime(2020, 1, 2, 3, 4, 5)],
        ),
        ("time", ["2020-01-02T00:00:00+02:00"], [datetime(2020, 1, 1, 22)]),
        ("time", ["3/12/2016", "soon", None], [datetime(2016, 3, 12), None, None]),
        ("time", [date(2020, 1, 2)], [datetime(2020, 1, 2)]),
        ("time", [datetime(2020, 1, 2, tzinfo=UTC)], [datetime(2020, 1, 2)]),
        ("category", ["3067.0", "x", "1.05", None], ["3067", "x", "1.05", None]),
        ("category", [3067.0, 1.5, None], ["3067", "1.5", None]),
        ("category", [True, False], ["True", "False"]),
        ("text", ["3067.0", "x"], ["3067.0", "x"]),
    ],
)
def test_values(kind: Any, given: list[Any], expected: list[Any]) -> None:
    assert convert_array(flatten(pa.array(given)), kind, Format()).to_pylist() == expected


@pytest.mark.parametrize(
    ("fmt", "given", "expected"),
    [
        ({"decimal": ","}, ["1,5", "1.5", "2"], [1.5, None, 2.0]),
        ({"decimal": ",", "thousands": "."}, ["1.234.567,5", "12.34", "1.234"], [1234567.5, None, 1234.0]),
        ({"thousands": ","}, ["1,234", "1234", "12,34"], [1234.0, 1234.0, None]),
        ({"thousands": "'"}, ["1'234.5"], [1234.5]),
    ],
)
def test_marks_of_numbers(fmt: dict[str, str], given: list[str], expected: list[float | None]) -> None:
    assert convert_array(pa.array(given), "number", Format(**fmt)).to_pylist() == expected


SPELLINGS = {
    "number": st.one_of(
        st.floats(width=64).map(repr),
        st.integers(-(10**20), 10**20).map(str),
        st.sampled_from(["", "x", "1e5", "0x1F", "1_0"]),
    ),
    "time": st.one_of(
        st.datetimes(datetime(1000, 1, 1), datetime(9999, 12, 31)).map(
            lambda t: t.replace(microsecond=0).isoformat(" ")
        ),
        st.dates(date(1000, 1, 1), date(9999, 12, 31)).map(str),
        st.sampled_from(["2020-13-01", "x", "2020-01-01T00:00:00Z", "12/31/2020"]),
    ),
    "category": st.sampled_from(["1", "1.0", "a", "-0.0", "1.00", ".0", "a.0"]),
}


@pytest.mark.parametrize("kind", ["number", "time", "category"])
@settings(max_examples=60, deadline=None)
@given(st.data())
def test_the_short_way_is_the_long_way(kind: Any, data: st.DataObject) -> None:
    texts = data.draw(st.lists(st.none() | SPELLINGS[kind].filter(bool), min_size=1, max_size=8))
    array = pa.array(texts, pa.string())
    assert convert_array(array, kind, Format()).to_pylist() == by_spelling(array, kind, Format()).to_pylist()


def test_problems_name_each_cell() -> None:
    table = pa.table({"n": ["1", "abc", None], "t": ["2020-01-01", None, "soon"], "y": ["1", "2", "inf"]})
    rows, problems = convert_table(table, definition(n="number", t="time"))
    assert rows.schema.names == ["n", "t", "y"]
    assert problems.to_pylist() == [
        {"row": 1, "rule": "value_is_readable", "column": "n", "found": "abc", "expected": "a finite number"},
        {"row": 2, "rule": "value_is_readable", "column": "t", "found": "soon", "expected": "a time"},
        {"row": 2, "rule": "value_is_readable", "column": "y", "found": "inf", "expected": "a finite number"},
    ]


def test_an_absent_column_is_empty() -> None:
    rows, problems = convert_table(pa.table({"y": [1]}), definition(n="number"))
    assert (rows.to_pylist(), problems.num_rows) == ([{"n": None, "y": 1.0}], 0)


# ------------------------------------------------------------------------------------------------
# fingerprints


def test_fingerprints_never_change() -> None:
    """They are stored: another value for the same row would make each row of each pipeline new."""
    table = pa.table(
        {"a": [1.5, None], "b": ["x", "y"], "t": pa.array([datetime(2020, 1, 1), None], pa.timestamp("us"))}
    )
    assert fingerprint(table).tolist() == [-8011444620945414000, -1326795711889314664]


def test_a_fingerprint_is_of_names_and_values() -> None:
    one = pa.table({"a": [1.0, 2.0, 1.0], "b": ["x", "x", None]})
    prints = fingerprint(one).tolist()
    assert len(set(prints)) == 3
    assert fingerprint(one.select(["b", "a"])).tolist() == prints
    assert fingerprint(one.append_column("c", pa.nulls(3, pa.string()))).tolist() == prints
    assert (
        fingerprint(
            one.rename_columns(["b", "a"]).cast(pa.schema([("b", pa.float64()), ("a", pa.string())]))
        ).tolist()
        != prints
    )


# ------------------------------------------------------------------------------------------------
# what would become something else


@pytest.mark.parametrize(
    "text", ["12:30", "now", "today", "Tuesday", "12:30 Jan 2024", "Jan 5", "5 Jan 12:30"]
)
def test_no_time_is_filled_in_from_the_clock(text: str) -> None:
    assert convert_array(pa.array([text]), "time", Format()).to_pylist() == [None]
    assert likely_type(pa.chunked_array([[text, None]])) == "category"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("3/12/16 12:30", datetime(2016, 3, 12, 12, 30)),
        ("12:30 2016-03-12", datetime(2016, 3, 12, 12, 30)),
        ("Sat Mar 12 12:30:00 2016", datetime(2016, 3, 12, 12, 30)),
        ("12-Mar-16", datetime(2016, 3, 12)),
        ("March 12th, 2016", datetime(2016, 3, 12)),
        ("12.3.2016", datetime(2016, 12, 3)),
        ("20160312", datetime(2016, 3, 12)),
        ("20160312T123000", datetime(2016, 3, 12, 12, 30)),
        ("2016/3/12 1:30 PM", datetime(2016, 3, 12, 13, 30)),
        ("2016", datetime(2016, 1, 1)),
        ("Mar 2016", datetime(2016, 3, 1)),
    ],
)
def test_a_full_date_in_any_spelling(text: str, expected: datetime) -> None:
    assert convert_array(pa.array([text]), "time", Format()).to_pylist() == [expected]


IDS = [1234567890123456789, 2**53 + 1]


@pytest.mark.parametrize(
    "cells",
    [
        pa.array([*map(str, IDS), "7"]),
        pa.array([*(f" {i}.0" for i in IDS), "7"]),
        pa.array([*IDS, 7], pa.int64()),
        pa.array([*(-i for i in IDS), 7], pa.int64()),
        pa.array([*(2**63 + i for i in IDS), 7], pa.uint64()),
        pa.array([*map(Decimal, IDS), Decimal(7)], pa.decimal128(25, 2)),
    ],
)
def test_no_id_is_rounded(cells: Any) -> None:
    rows, problems = convert_table(pa.table({"n": cells, "y": [1, 2, 3]}), definition(n="number"))
    assert rows["n"].to_pylist() == [None, None, 7.0]
    assert len(set(problems["found"].to_pylist())) == 2
    assert set(problems["expected"].to_pylist()) == {TOO_LARGE}


def test_what_is_large_and_exact_stays_a_number() -> None:
    texts = ["1e300", "9007199254740993.5", "1152921504606846976", "9007199254740992", "0" * 30 + "1"]
    read = convert_array(pa.array(texts), "number", Format()).to_pylist()
    assert read == [1e300, 9007199254740994.0, 2.0**60, 2.0**53, 1.0]
    assert convert_array(pa.array([2**60, 2**53]), "number", Format()).to_pylist() == [2.0**60, 2.0**53]
    assert convert_array(pa.array([1e300, 0.5]), "number", Format()).to_pylist() == [1e300, 0.5]


def test_digits_between_marks_are_too_large_too() -> None:
    fmt = {"decimal": ",", "thousands": "."}
    table = pa.table({"n": ["1.234.567.890.123.456.789", "x"], "y": [1, 2]})
    _, problems = convert_table(table, definition(fmt, n="number"))
    assert problems["expected"].to_pylist() == [TOO_LARGE, "a finite number"]


def test_an_unread_cell_keeps_its_whole_text() -> None:
    text = "x" * 10_000
    _, problems = convert_table(pa.table({"n": [text], "y": [1]}), definition(n="number"))
    assert problems["found"].to_pylist() == [text]
