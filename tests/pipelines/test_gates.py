"""Every gate by a table of cases: what was measured, what is said of it."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.config import Gates, Threshold
from pipelines.gates import above, judge, not_below, overall
from pipelines.records import Comparison, Evaluation, GateVerdict, Interval, Verdict

ORDER = {"fail": 0, "inconclusive": 1, "pass": 2}
NAN, INF = math.nan, math.inf


def measured(**changed: Any) -> Evaluation:
    """A challenger with RMSE 10 against a baseline of 20, no champion."""
    plain: dict[str, Any] = {
        "attempt": "a",
        "task": "regression",
        "metric": "rmse",
        "rows": 100,
        "metrics": {"rmse": 10.0, "r2": 0.8},
        "interval": Interval(value=10.0, low=9.0, high=11.0),
        "baseline": "training mean",
        "baseline_metrics": {"rmse": 20.0},
        "baseline_difference": Interval(value=10.0, low=8.0, high=12.0),
    }
    return Evaluation(**(plain | changed))


def against(champion: float, low: float, high: float, value: float = 0.0) -> Comparison:
    return Comparison(
        champion_version=4,
        champion_metrics={"rmse": champion},
        difference=Interval(value=value, low=low, high=high),
    )


def verdicts(evaluation: Evaluation, gates: Gates) -> dict[str, Verdict]:
    return {v.name: v.verdict for v in judge(evaluation, gates)}


def test_a_first_model_is_judged_by_smoke_thresholds_and_baseline() -> None:
    gates = Gates(thresholds=[Threshold(metric="rmse", at_most=12), Threshold(metric="r2", at_least=0.5)])
    found = verdicts(measured(), gates)
    assert list(found.items()) == [
        ("smoke", "pass"),
        ("threshold:rmse", "pass"),
        ("threshold:r2", "pass"),
        ("baseline", "pass"),
    ]


def test_the_baseline_can_be_left_out() -> None:
    assert verdicts(measured(), Gates(baseline=False)) == {"smoke": "pass"}


def test_a_model_that_does_not_answer_fails_with_its_own_words() -> None:
    [smoke] = judge(measured(smoke_failure="it fell over"), Gates(baseline=False))
    assert (smoke.verdict, smoke.reason) == ("fail", "it fell over")


@pytest.mark.parametrize(
    ("value", "bounds", "expected"),
    [
        (10.0, {"at_most": 10.0}, "pass"),  # the bound itself is allowed
        (10.0001, {"at_most": 10.0}, "fail"),
        (10.0, {"at_least": 10.0}, "pass"),
        (9.9999, {"at_least": 10.0}, "fail"),
        (5.0, {"at_least": 1.0, "at_most": 9.0}, "pass"),
        (0.5, {"at_least": 1.0, "at_most": 9.0}, "fail"),
        (9.5, {"at_least": 1.0, "at_most": 9.0}, "fail"),
        (5.0, {}, "pass"),
        (NAN, {"at_most": 10.0}, "inconclusive"),
        (INF, {"at_least": 1.0}, "inconclusive"),
        (-INF, {"at_most": 1.0}, "inconclusive"),
        (None, {"at_most": 1.0}, "inconclusive"),
    ],
)
def test_threshold(value: float | None, bounds: dict[str, float], expected: str) -> None:
    metrics = {} if value is None else {"mae": value}
    gates = Gates(baseline=False, thresholds=[Threshold(metric="mae", **bounds)])
    verdict = judge(measured(metrics=metrics), gates)[-1]
    assert verdict.verdict == expected
    assert "mae" in verdict.reason


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0.1, 5.0, "pass"),
        (0.0, 5.0, "inconclusive"),  # not better beyond doubt
        (-1.0, 5.0, "inconclusive"),
        (-5.0, 0.0, "fail"),
        (0.0, 0.0, "fail"),  # the baseline itself
        (NAN, NAN, "inconclusive"),
        (NAN, 5.0, "inconclusive"),
        (1.0, INF, "inconclusive"),
    ],
)
def test_baseline(low: float, high: float, expected: str) -> None:
    difference = Interval(value=1.0, low=low, high=high)
    assert verdicts(measured(baseline_difference=difference), Gates())["baseline"] == expected


@pytest.mark.parametrize(
    ("champion", "low", "high", "margin", "expected"),
    [
        (10.0, 0.1, 1.0, 0.01, "pass"),
        (10.0, -0.09, 1.0, 0.01, "pass"),  # 1 % of 10 may be lost
        (10.0, -0.1, 1.0, 0.01, "pass"),  # the margin itself, too
        (10.0, -0.11, 1.0, 0.01, "inconclusive"),
        (10.0, -1.0, -0.11, 0.01, "fail"),
        (10.0, 0.0, 0.0, 0.0, "pass"),  # the champion itself is no worse than the champion
        (10.0, 0.0, 0.5, 0.0, "pass"),
        (10.0, -0.1, 0.0, 0.0, "fail"),
        (10.0, -0.1, 0.1, 0.0, "inconclusive"),
        (0.0, 0.0, 0.0, 0.01, "pass"),  # a share of nothing is nothing
        (-2.0, -0.01, 0.0, 0.01, "pass"),  # a negative metric leaves room on the same side
        (10.0, NAN, NAN, 0.01, "inconclusive"),
        (NAN, -1.0, 1.0, 0.01, "inconclusive"),
        (10.0, 1.0, INF, 0.01, "inconclusive"),
    ],
)
def test_champion(champion: float, low: float, high: float, margin: float, expected: str) -> None:
    evaluation = measured(comparison=against(champion, low, high))
    assert verdicts(evaluation, Gates(champion_margin=margin))["champion"] == expected


def test_rows_that_the_champion_learnt_are_said() -> None:
    found = against(champion=10.0, low=0.0, high=1.0)
    left = found.model_copy(update={"left_out": 40, "metrics": {"rmse": 9.5}})
    verdict = judge(measured(comparison=left), Gates())[-1]
    assert verdict.verdict == "pass"
    assert verdict.reason.startswith(
        "rmse 9.5 against 10 (champion, version 4) on the same 60 rows"
        " (40 others, from which the champion learnt, are left out);"
    )
    nothing = found.model_copy(update={"left_out": 95, "difference": None, "champion_metrics": {}})
    verdict = judge(measured(comparison=nothing), Gates())[-1]
    assert verdict.verdict == "inconclusive"
    assert "learnt from 95 of the 100 test rows; 5 are too few" in verdict.reason


def test_reasons_say_it_in_numbers() -> None:
    reasons = {v.name: v.reason for v in judge(measured(comparison=against(11.0, -0.5, 2.0, 1.0)), Gates())}
    assert "10 against 20 (training mean)" in reasons["baseline"]
    assert "better by 10 (95 % interval 8 to 12) on 100 rows" in reasons["baseline"]
    assert "10 against 11 (champion, version 4)" in reasons["champion"]
    assert "may be worse by 0.11" in reasons["champion"]


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (["pass", "pass"], "pass"),
        (["pass", "inconclusive"], "inconclusive"),
        (["inconclusive", "fail", "pass"], "fail"),
        (["fail"], "fail"),
        (["inconclusive"], "inconclusive"),
    ],
)
def test_overall(found: list[Verdict], expected: str) -> None:
    assert overall([GateVerdict(name="g", verdict=v, reason="") for v in found]) == expected


FINITE = st.floats(-1e6, 1e6)


@given(FINITE, FINITE, FINITE, st.floats(0, 1e6), st.floats(0, 1e6))
def test_more_evidence_never_makes_a_verdict_worse(
    a: float, b: float, bound: float, up: float, down: float
) -> None:
    low, high = sorted((a, b))
    here = Interval(value=low, low=low, high=high)
    better = Interval(value=low, low=low + up, high=high + up)
    for rule in (above, not_below):
        assert ORDER[rule(here, bound)] <= ORDER[rule(better, bound)]
        assert ORDER[rule(here, bound)] <= ORDER[rule(here, bound - down)]
    assert ORDER[above(here, bound)] <= ORDER[not_below(here, bound)]
