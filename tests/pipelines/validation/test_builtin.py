"""The rules that nobody declares: target, time, classes, and what could not be read."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest

from tests.pipelines.validation.conftest import FIRST_SEQ, failing, reasons


def by_rule(report, rule):
    return [result for result in report.results if result.rule == rule]


def test_a_row_without_its_target_or_time_is_set_aside(validate, frame):
    frame.loc[3, "y"] = None
    frame.loc[[3, 8], "seen"] = None
    report = validate(frame=frame)
    assert failing(report) == [3, 8]
    assert reasons(report, 3) == [
        "seen: found nothing, expected a time, which split and windows go by",
        "y: found nothing, expected the target to be present",
    ]


@pytest.mark.parametrize(("ahead", "bad"), [(timedelta(days=366), True), (timedelta(hours=12), False)])
def test_a_row_from_the_future_is_set_aside(validate, frame, ahead, bad):
    now = datetime.now(UTC).replace(tzinfo=None)
    frame.loc[6, "seen"] = pd.Timestamp(now + ahead).floor("s")
    report = validate(frame=frame)
    assert failing(report) == ([6] if bad else [])
    if bad:
        assert "a day ahead of the clock" in reasons(report, 6)[0]


@pytest.mark.parametrize(("future", "refused"), [("fail", True), ("warn", False), (None, False)])
def test_what_the_future_means_is_the_definitions_choice(validate, frame, future, refused):
    frame.loc[6, "seen"] = pd.Timestamp("2099-01-01")
    report = validate(frame=frame, future=future)
    assert (report.refused is not None) == refused
    assert report.quarantined == 0
    assert len(report.warnings) == (future == "warn")


def test_a_third_class_refuses_a_binary_batch_and_is_named(validate, frame):
    columns = {"price": "number", "y": "category"}
    odd = frame.assign(y=["yes", "no"] * 19 + ["maybe", "no"])
    report = validate(frame=odd, columns=columns, task="binary")
    assert "found classes 'no' (20 rows), 'yes' (19 rows), 'maybe' (1 rows), expected two" in report.refused
    sound = validate(frame=frame.assign(y=["yes"] * 40), columns=columns, task="binary")
    assert sound.refused is None


PROBLEMS = [
    (FIRST_SEQ + 2, "value_is_readable", "price", "abc", "a number"),
    (FIRST_SEQ + 2, "value_is_readable", "seen", "32.13.", "a time"),
    (FIRST_SEQ + 5, "value_is_readable", "price", "\x1b[31m1e999", "a number"),
    (FIRST_SEQ + 9, "key_is_new", "id", "7", "a key that is not held with other values"),
]


def test_what_could_not_be_read_is_a_reason_of_its_row(validate):
    report = validate(problems=PROBLEMS)
    assert failing(report) == [2, 5, 9]
    assert report.quarantined == 3
    assert reasons(report, 2) == [
        "price: found 'abc', expected a number",
        "seen: found '32.13.', expected a time",
    ]
    assert reasons(report, 5) == ["price: found '�[31m1e999', expected a number"]
    price, seen = by_rule(report, "value_is_readable")
    assert (price.column, price.unexpected, price.examples[0]) == ("price", 2, "'abc'")
    assert (seen.column, seen.unexpected) == ("seen", 1)
    assert by_rule(report, "key_is_new")[0].unexpected == 1


def test_too_much_that_cannot_be_read_refuses_the_batch(validate):
    many = [(FIRST_SEQ + i, "value_is_readable", "price", "1,5", "a number") for i in range(20)]
    report = validate(problems=many)
    assert "20 of 40 rows (50.0%)" in report.refused
    assert "value_is_readable on price" in report.refused
    assert "such as '1,5'" in report.refused
