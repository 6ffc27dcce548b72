"""Every gate by a table of cases: what was measured, what is said of it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from pipelines.config import Gates, Threshold
from pipelines.gates import judge, overall
from pipelines.records import Baseline, Evaluation, GateVerdict, Interval, Verdict
from tests.pipelines.gates.cases import compared, difference

MOMENT = datetime(2026, 5, 8, 12)


def measured(**changed: Any) -> Evaluation:
    """A challenger with RMSE 10 against a baseline of 20, no champion."""
    plain: dict[str, Any] = {
        "attempt": "a",
        "task": "regression",
        "metric": "rmse",
        "rows": 100,
        "metrics": {"rmse": 10.0, "r2": 0.8},
        "intervals": {
            "rmse": Interval(value=10.0, low=9.0, high=11.0),
            "r2": Interval(value=0.8, low=0.7, high=0.9),
        },
        "baselines": [baseline("training mean", 10.0)],
    }
    return Evaluation(**(plain | changed))


def baseline(name: str, better: float, error: float = 1.0) -> Baseline:
    found = difference(better, error)
    return Baseline(name=name, metrics={"rmse": 20.0}, differences={"rmse": found})


def verdicts(evaluation: Evaluation, gates: Gates) -> dict[str, Verdict]:
    return {v.name: v.verdict for v in judge(evaluation, gates, MOMENT)}


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
    [smoke] = judge(measured(smoke_failure="it fell over"), Gates(baseline=False), MOMENT)
    assert (smoke.verdict, smoke.reason) == ("fail", "it fell over")


def test_a_model_that_could_not_be_measured_is_never_let_in() -> None:
    """Of answers that are no numbers there is no metric, and no other gate may stand in for it."""
    evaluation = measured(metrics={}, intervals={}, baselines=[])
    found = {v.name: v for v in judge(evaluation, Gates(baseline=False), MOMENT)}
    assert {name: v.verdict for name, v in found.items()} == {"smoke": "pass", "metric": "inconclusive"}
    assert "rmse has no value on 100 test rows" in found["metric"].reason
    no_baseline = measured(baselines=[Baseline(name="training mean", metrics={}, differences={})])
    assert verdicts(no_baseline, Gates())["baseline"] == "inconclusive"


@pytest.mark.parametrize(
    ("value", "bounds", "expected"),
    [
        (9.0, {"at_most": 10.0}, "pass"),  # its interval ends at 10: the bound itself is allowed
        (9.1, {"at_most": 10.0}, "inconclusive"),
        (11.0, {"at_most": 10.0}, "inconclusive"),
        (11.1, {"at_most": 10.0}, "fail"),
        (11.0, {"at_least": 10.0}, "pass"),
        (9.5, {"at_least": 10.0}, "inconclusive"),
        (8.9, {"at_least": 10.0}, "fail"),
        (5.0, {"at_least": 1.0, "at_most": 9.0}, "pass"),
        (-0.5, {"at_least": 1.0, "at_most": 9.0}, "fail"),
        (8.5, {"at_least": 1.0, "at_most": 9.0}, "inconclusive"),
        (5.0, {}, "pass"),
        (None, {"at_most": 1.0}, "inconclusive"),
    ],
)
def test_threshold(value: float | None, bounds: dict[str, float], expected: str) -> None:
    known = {} if value is None else {"mae": value}
    evaluation = measured(
        metrics={"rmse": 10.0} | known,
        intervals={name: Interval(value=v, low=v - 1, high=v + 1) for name, v in known.items()},
    )
    gates = Gates(baseline=False, thresholds=[Threshold(metric="mae", **bounds)])
    verdict = judge(evaluation, gates, MOMENT)[-1]
    assert verdict.verdict == expected
    assert "mae" in verdict.reason
    few = judge(evaluation.model_copy(update={"rows": 29}), gates, MOMENT)[-1]
    assert few.verdict == ("inconclusive" if bounds else "pass")


def test_a_threshold_that_the_rows_cannot_tell_says_how_many_would() -> None:
    """0.25 above its bound, with 1 to either side: of 3,266 rows that is 0.175, and 0.075 are for luck."""

    def reason(value: float, rows: int) -> str:
        gates = Gates(baseline=False, thresholds=[Threshold(metric="rmse", at_least=9.75)])
        interval = Interval(value=value, low=value - 1, high=value + 1)
        known = {"metrics": {"rmse": value}, "intervals": {"rmse": interval}, "rows": rows}
        return judge(measured(**known), gates, MOMENT)[-1].reason

    assert "These rows cannot tell: about 3,270 would be needed." in reason(10.0, 100)
    assert "No number of rows" in reason(9.75, 100)
    assert "No number of rows" in reason(9.75 + 2e-15, 100)  # nor where rounding tells them apart
    assert "about 30 would be needed" in reason(20.0, 12)
    assert "could not be computed" in reason(float("nan"), 100)  # of targets of 1e300, say


@pytest.mark.parametrize(
    ("rows", "at_least", "words"),
    [
        (50, 9.75, "on 50 of 100 rows (at least 9.75). A function is asked about no more rows than that"),
        (29, 8.0, "on 29 of 100 rows"),
        (100, 9.75, "on 100 rows (at least 9.75). These rows cannot tell: about 3,270 would be needed."),
    ],
)
def test_a_function_is_judged_by_the_rows_that_it_was_asked_about(
    rows: int, at_least: float, words: str
) -> None:
    interval = Interval(value=10.0, low=9.0, high=11.0, rows=rows)
    gates = Gates(baseline=False, thresholds=[Threshold(metric="rmse", at_least=at_least)])
    verdict = judge(measured(intervals={"rmse": interval}), gates, MOMENT)[-1]
    assert verdict.verdict == "inconclusive"
    assert words in verdict.reason


@pytest.mark.parametrize(
    ("better", "expected"), [(1.7, "pass"), (1.6, "inconclusive"), (-1.6, "inconclusive"), (-1.7, "fail")]
)
def test_the_baseline_must_be_beaten_beyond_doubt(better: float, expected: str) -> None:
    assert verdicts(measured(baselines=[baseline("mean", better)]), Gates())["baseline"] == expected


@pytest.mark.parametrize(
    ("second", "expected"), [(5.0, "pass"), (0.5, "inconclusive"), (-5.0, "fail"), (0.0, "inconclusive")]
)
def test_every_baseline_must_be_beaten(second: float, expected: str) -> None:
    evaluation = measured(baselines=[baseline("training mean", 5.0), baseline("last value", second)])
    found = {v.name: v for v in judge(evaluation, Gates(), MOMENT)}["baseline"]
    assert found.verdict == expected
    assert "(training mean)" in found.reason
    assert "(last value)" in found.reason


def test_few_rows_neither_fail_a_first_model_nor_let_luck_through() -> None:
    """Of ten rows with two positive ones, random scores have these on top once in 45 sets."""

    def baseline(metric: str, better: float, error: float, **metrics: float) -> Verdict:
        found = {metric: difference(better, error, rows=10)}
        simple = Baseline(name="most frequent class", metrics=metrics, differences=found)
        known = {"metric": metric, "metrics": {metric: 1.0}, "baselines": [simple], "rows": 10}
        return verdicts(measured(**known), Gates())["baseline"]

    assert baseline("auc", 0.3, 0.0, auc=0.5, pr_auc=0.2) == "inconclusive"
    assert baseline("auc", 0.4, 0.0, auc=0.5, pr_auc=0.2) == "pass"
    assert baseline("pr_auc", 0.12, 0.01, pr_auc=0.2) == "inconclusive"  # 0.15 of it are luck
    assert baseline("pr_auc", 0.22, 0.01, pr_auc=0.2) == "pass"
    assert baseline("mae", -9.0, 1.0, mae=1.0) == "inconclusive"


def test_reasons_say_it_in_numbers() -> None:
    evaluation = measured(comparison=compared(difference(1.0, 0.8), champion=11.0, value=10.0))
    reasons = {v.name: v.reason for v in judge(evaluation, Gates(), MOMENT)}
    assert "10 against 20 (training mean)" in reasons["baseline"]
    assert "better by 10 (95 % interval 8.04 to 11.96) on 100 rows" in reasons["baseline"]
    assert "10 against 11 (champion, version 4) on the same 100 rows" in reasons["champion"]
    assert "may be worse by 0.11 (level 0.05)" in reasons["champion"]


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
