"""The decision on a batch, as tables of cases."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.validation.decide import Finding, decide_batch, fewest_bad, surely_refused


def row_rule(bad: int, on_failure="quarantine", **more) -> Finding:
    values = {"passed": not bad, "unexpected": bad, "examples": ("-3",) if bad else (), **more}
    return Finding("expect_positive", "price", on_failure, "to be positive", **values)


def batch_rule(passed: bool, on_failure="fail", **more) -> Finding:
    return Finding("expect_mean", "price", on_failure, "mean above 10", passed, observed="3.2", **more)


# findings, rows, rows that break a quarantine rule -> quarantined, why refused, warnings
CASES = {
    "nothing found": ([row_rule(0), batch_rule(True)], 100, 0, 0, None, 0),
    "some rows aside": ([row_rule(10)], 100, 10, 10, None, 0),
    "too many rows": (
        [row_rule(11)],
        100,
        11,
        0,
        "11 of 100 rows (11.0%) break a check, more than the 10.0%",
        0,
    ),
    "rows fail the batch": ([row_rule(1, "fail")], 100, 0, 0, "1 of 100 rows are not as expected", 0),
    "rows warn": ([row_rule(50, "warn")], 100, 0, 0, None, 1),
    "mostly holds": ([row_rule(50, passed=True)], 100, 0, 0, None, 0),
    "a mean fails": (
        [batch_rule(False)],
        100,
        0,
        0,
        "expect_mean on price: found 3.2, expected mean above 10",
        0,
    ),
    "a mean cannot quarantine": ([batch_rule(False, "quarantine")], 100, 0, 0, "found 3.2", 0),
    "a mean warns": ([batch_rule(False, "warn")], 100, 0, 0, None, 1),
    "a check is broken": ([batch_rule(False, error="no column x")], 100, 0, 0, "Validation is broken", 0),
    "a broken check that warns": ([batch_rule(False, "warn", error="no column x")], 100, 0, 0, None, 1),
    "a broken row rule": (
        [row_rule(0, passed=False, unexpected=None, error="no such type")],
        100,
        0,
        0,
        "Validation is broken",
        0,
    ),
    "few rows, most of them bad": ([row_rule(18)], 19, 18, 18, None, 0),
    "few rows, all of them bad": ([row_rule(19)], 19, 19, 0, "19 of 19 rows", 0),
    "twenty rows are enough": ([row_rule(3)], 20, 3, 0, "3 of 20 rows", 0),
    "a row broken twice counts once": ([row_rule(10), row_rule(9)], 100, 10, 10, None, 0),
    "two rules together are too many": ([row_rule(6), row_rule(6)], 100, 12, 0, "At least 12 of 100 rows", 0),
    "every reason is given": (
        [row_rule(1, "fail"), batch_rule(False)],
        100,
        0,
        0,
        "rows are not as expected",
        0,
    ),
}


@pytest.mark.parametrize(
    ("findings", "rows", "bad", "quarantined", "refused", "warnings"), CASES.values(), ids=CASES
)
def test_decision(findings, rows, bad, quarantined, refused, warnings):
    outcome = decide_batch(rows, findings, bad, 0.1)
    assert outcome.quarantined == quarantined
    assert (outcome.refused is None) == (refused is None)
    assert (refused or "") in (outcome.refused or "")
    assert len(outcome.warnings) == warnings
    assert len(outcome.results) == len(findings)


def test_a_refusal_names_rule_column_rows_and_examples():
    refused = decide_batch(100, [row_rule(3, "fail")], 0, 0.1).refused
    assert (
        refused == "expect_positive on price: 3 of 100 rows are not as expected (to be positive), such as -3."
    )


def test_a_result_keeps_its_examples():
    (result,) = decide_batch(100, [row_rule(3)], 3, 0.1).results
    assert (result.unexpected, result.examples, result.passed) == (3, ["-3"], False)


@given(counts=st.lists(st.integers(0, 200), max_size=3), rows=st.integers(1, 200), most=st.floats(0, 1))
def test_rows_are_quarantined_or_the_batch_is_refused_never_both(counts, rows, most):
    findings = [row_rule(min(count, rows)) for count in counts]
    bad = min(rows, sum(f.unexpected or 0 for f in findings))
    outcome = decide_batch(rows, findings, bad, most)
    assert outcome.quarantined == (0 if outcome.refused else bad)
    assert fewest_bad(findings) <= bad
    if surely_refused(rows, findings, most):  # then nobody looks which rows these are
        assert outcome.refused
