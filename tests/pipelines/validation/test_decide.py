"""The decision on a batch, as tables of cases."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.validation.decide import Finding, decide_batch


def row_rule(bad: int, on_failure="quarantine", **more) -> Finding:
    values = {"passed": not bad, "positions": tuple(range(bad)), "values": ("-3",) * bad, **more}
    return Finding("expect_positive", "price", on_failure, "to be positive", **values)


def batch_rule(passed: bool, on_failure="fail", **more) -> Finding:
    return Finding("expect_mean", "price", on_failure, "mean above 10", passed, observed="3.2", **more)


CASES = {
    "nothing found": ([row_rule(0), batch_rule(True)], 100, 0, None, 0),
    "some rows aside": ([row_rule(10)], 100, 10, None, 0),
    "too many rows": ([row_rule(11)], 100, 0, "11 of 100 rows (11.0%) break a check, more than the 10.0%", 0),
    "rows fail the batch": ([row_rule(1, "fail")], 100, 0, "1 of 100 rows are not as expected", 0),
    "rows warn": ([row_rule(50, "warn")], 100, 0, None, 1),
    "mostly holds": ([row_rule(50, passed=True)], 100, 0, None, 0),
    "a mean fails": (
        [batch_rule(False)],
        100,
        0,
        "expect_mean on price: found 3.2, expected mean above 10",
        0,
    ),
    "a mean cannot quarantine": ([batch_rule(False, "quarantine")], 100, 0, "found 3.2", 0),
    "a mean warns": ([batch_rule(False, "warn")], 100, 0, None, 1),
    "a check is broken": ([batch_rule(False, error="no column x")], 100, 0, "Validation is broken", 0),
    "a broken check that warns": ([batch_rule(False, "warn", error="no column x")], 100, 0, None, 1),
    "few rows, most of them bad": ([row_rule(18)], 19, 18, None, 0),
    "few rows, all of them bad": ([row_rule(19)], 19, 0, "19 of 19 rows", 0),
    "twenty rows are enough": ([row_rule(3)], 20, 0, "3 of 20 rows", 0),
    "a row broken twice counts once": ([row_rule(10), row_rule(9)], 100, 10, None, 0),
}


@pytest.mark.parametrize(
    ("findings", "rows", "quarantined", "refused", "warnings"), CASES.values(), ids=CASES
)
def test_decision(findings, rows, quarantined, refused, warnings):
    outcome = decide_batch(rows, findings, 0.1)
    assert outcome.quarantined == quarantined
    assert (outcome.refused is None) == (refused is None)
    assert (refused or "") in (outcome.refused or "")
    assert len(outcome.warnings) == warnings
    assert len(outcome.results) == len(findings)


def test_each_row_and_broken_rule_has_its_reason():
    outcome = decide_batch(100, [row_rule(2), row_rule(1)], 0.1)
    assert outcome.failures == [(n, "price: found -3, expected to be positive") for n in (0, 1, 0)]


def test_a_refusal_names_rule_column_rows_and_examples():
    refused = decide_batch(100, [row_rule(3, "fail")], 0.1).refused
    assert (
        refused == "expect_positive on price: 3 of 100 rows are not as expected (to be positive), such as -3."
    )


@given(bad=st.integers(0, 200), rows=st.integers(1, 200), most=st.floats(0, 1))
def test_rows_are_quarantined_or_the_batch_is_refused_never_both(bad, rows, most):
    bad = min(bad, rows)
    outcome = decide_batch(rows, [row_rule(bad)], most)
    assert outcome.quarantined == (0 if outcome.refused else bad)
    if outcome.refused and rows >= 20:
        assert bad / rows > most
