"""The gates that ask how a model behaves, what it takes and rests on: a table of cases each."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from pipelines.config import Gates
from pipelines.gates import judge
from pipelines.records import (
    Baseline,
    Evaluation,
    Footprint,
    GateVerdict,
    Importance,
    Interval,
    Probe,
)
from tests.pipelines.gates.cases import difference
from tests.pipelines.gates.test_judging import MOMENT, measured


def said(evaluation: Evaluation, name: str, **asked: Any) -> GateVerdict:
    """What one gate says, where it is asked so."""
    gates = Gates.model_validate({"baseline": False} | asked)
    return next(v for v in judge(evaluation, gates, MOMENT) if v.name == name)


def absent(evaluation: Evaluation, name: str, **asked: Any) -> bool:
    gates = Gates.model_validate({"baseline": False} | asked)
    return all(v.name != name for v in judge(evaluation, gates, MOMENT))


# ------------------------------------------------------------------------------------------------ behaviour


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0.01, 0.05, "pass"),
        (0.01, 0.051, "inconclusive"),
        (0.051, 0.06, "fail"),
        (0.05, 0.06, "inconclusive"),
    ],
)
def test_calibration(low: float, high: float, expected: str) -> None:
    evaluation = measured(intervals={"ece": Interval(value=low, low=low, high=high)})
    assert said(evaluation, "calibration", calibration={"ece": 0.05}).verdict == expected


def test_calibration_without_a_value() -> None:
    assert said(measured(), "calibration", calibration={"ece": 0.05}).verdict == "inconclusive"


@pytest.mark.parametrize(
    ("probes", "expected", "words"),
    [
        ([("noise", None, 0.1, None), ("missing", "x", 9.0, None)], "pass", "All 2 changes are answered"),
        ([("noise", None, 0.11, None)], "fail", "moves answers by 0.11 on 500 rows, at most 0.1"),
        ([("noise", None, 0.0, None), ("missing", "x", None, "it fell")], "fail", "missing x: it fell"),
        ([("noise", None, None, "it fell")], "fail", "1 of 1 changes have no answer. noise: it fell"),
        ([], "inconclusive", "Nothing was tried"),
    ],
)
def test_robustness(
    probes: list[tuple[str, str | None, float | None, str | None]], expected: str, words: str
) -> None:
    tried = [Probe(name=n, column=c, rows=500, change=x, failure=f) for n, c, x, f in probes]
    verdict = said(measured(probes=tried), "robustness", robustness={})
    assert verdict.verdict == expected
    assert words in verdict.reason


TAKEN = Footprint(
    load_seconds=1, latency_p50=5, latency_p99=20, rows_per_second=1000, memory_bytes=200e6, size_bytes=10e6
)


@pytest.mark.parametrize(
    ("bounds", "expected", "words"),
    [
        ({"latency_p99": "20 ms"}, "pass", "a row takes 20 ms (99th percentile), at most 20"),
        ({"latency_p99": 19.9}, "fail", "at most 19.9"),
        ({"latency_p99": "1 s"}, "pass", "at most 1000"),
        ({"memory": "200 MB"}, "pass", "memory 200 MB, at most 200"),
        ({"memory": "0.1 GB"}, "fail", "memory 200 MB, at most 100"),
        ({"size": "9 MB", "memory": "1 GB"}, "fail", "size 10 MB, at most 9"),
    ],
)
def test_footprint(bounds: dict[str, Any], expected: str, words: str) -> None:
    verdict = said(measured(footprint=TAKEN), "footprint", footprint=bounds)
    assert verdict.verdict == expected
    assert words in verdict.reason


def test_footprint_of_a_model_that_does_not_load() -> None:
    evaluation = measured(smoke_failure="it fell over")
    assert said(evaluation, "footprint", footprint={"size": "9 MB"}).verdict == "inconclusive"


@pytest.mark.parametrize("wrong", [{"size": "9 bananas"}, {"latency_p99": "-1 ms"}, {"memory": 0}])
def test_amounts_that_are_none(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Gates.model_validate({"footprint": wrong})


@pytest.mark.parametrize(
    ("age", "expected"),
    [(timedelta(days=7), "pass"), (timedelta(days=7, seconds=1), "fail"), (timedelta(days=-1), "pass")],
)
def test_freshness(age: timedelta, expected: str) -> None:
    """When it is judged: an evaluation that was kept may be older."""
    verdict = said(measured(newest=MOMENT - age), "freshness", freshness="7 days")
    assert verdict.verdict == expected
    assert "at most 7 days" in verdict.reason
    assert said(measured(), "freshness", freshness="7 days").verdict == "inconclusive"


# ------------------------------------------------------------------------------------------------ features


def features(**alone: float | None) -> Evaluation:
    found = [Importance(column=n, permutation=0.0, deviation=0.0, alone=v) for n, v in alone.items()]
    return measured(importances=found)


@pytest.mark.parametrize(
    ("alone", "asked", "expected"),
    [
        ({"x": 0.94, "at": None}, {}, "pass"),
        ({"x": 0.5, "id": 0.99}, {}, "inconclusive"),
        ({"x": 0.5, "id": 0.99}, {"verdict": "fail"}, "fail"),
        ({"x": 0.5, "id": 0.97}, {}, "pass"),
    ],
)
def test_leak(alone: dict[str, float | None], asked: dict[str, Any], expected: str) -> None:
    verdict = said(features(**alone), "leak", leak=asked)
    assert verdict.verdict == expected
    assert ("columns.id.use: false" in verdict.reason) == (expected != "pass")


@pytest.mark.parametrize(("clock", "expected"), [(True, "pass"), (False, "inconclusive")])
def test_nothing_measured_passes_only_where_there_is_nothing_to_measure(clock: bool, expected: str) -> None:
    column = Importance(column="at", clock=clock, permutation=0.0, deviation=0.0)
    assert said(measured(importances=[column]), "leak").verdict == expected


def test_leak_is_asked_unless_told_otherwise() -> None:
    assert said(features(id=1.0), "leak").verdict == "inconclusive"
    assert absent(features(id=1.0), "leak", leak=None)
    assert absent(measured(), "leak")


@pytest.mark.parametrize(
    ("changes", "allowed", "expected"),
    [
        ({}, [], "pass"),
        ({"x": "new: number"}, [], "fail"),
        ({"x": "new: number"}, ["x"], "pass"),
        ({"x": "new: number", "z": "gone; it was number"}, ["x"], "fail"),
    ],
)
def test_signature(changes: dict[str, str], allowed: list[str], expected: str) -> None:
    verdict = said(measured(signature_changes=changes), "signature", signature={"allow": allowed})
    assert verdict.verdict == expected
    assert all(name in verdict.reason for name in changes)


def test_signature_of_a_first_model_is_asked_nothing() -> None:
    assert absent(measured(), "signature")
    assert absent(measured(signature_changes={"x": "new"}), "signature", signature=None)


# ------------------------------------------------------------------------------------------------ linear


def linear(better: float, error: float = 0.1, **changed: Any) -> Evaluation:
    """RMSE 10 against 20 of a linear model: 1 % of that may be lost."""
    found = {"rmse": difference(better, error)}
    simple = Baseline(name="linear model", linear=True, metrics={"rmse": 20.0}, differences=found)
    return measured(baselines=[simple], **changed)


@pytest.mark.parametrize(
    ("better", "error", "baseline", "simpler"),
    [
        (1.0, 0.1, "pass", "pass"),
        (0.1, 0.1, "pass", "inconclusive"),
        (0.0, 1.0, "pass", "inconclusive"),
        (-0.3, 0.1, "pass", "fail"),
        (-0.4, 0.1, "fail", "fail"),
    ],
)
def test_a_linear_model(better: float, error: float, baseline: str, simpler: str) -> None:
    evaluation = linear(better, error)
    assert said(evaluation, "baseline", baseline=True).verdict == baseline
    assert said(evaluation, "simpler", simpler={}).verdict == simpler
    assert said(linear(better, error, kind="linear"), "simpler", simpler={}).verdict == "pass"
    assert absent(evaluation, "simpler")


def test_a_linear_model_must_be_beaten_by_a_margin_where_one_is_stated() -> None:
    assert said(linear(1.0), "simpler", simpler={"margin": "10%"}).verdict == "fail"
    assert said(linear(3.0), "simpler", simpler={"margin": "10%"}).verdict == "pass"
    assert said(measured(), "simpler", simpler={}).verdict == "inconclusive"


# ------------------------------------------------------------------------------------------------ own


@pytest.mark.parametrize(
    ("answer", "expected", "words"),
    [
        (("pass", "fine"), "pass", "fine"),
        (["fail", "too slow"], "fail", "too slow"),
        (True, "inconclusive", "The function gave True; expected a verdict"),
        ((np.array(["pass", "fail"]), ""), "inconclusive", "expected a verdict"),
        (("maybe", "who knows"), "inconclusive", "expected a verdict (pass, fail, inconclusive)"),
        (("pass",), "inconclusive", "expected a verdict"),
    ],
)
def test_a_gate_of_ones_own(answer: object, expected: str, words: str) -> None:
    def gate(evaluation: dict[str, Any]) -> object:
        assert evaluation["metrics"]["rmse"] == 10.0
        return answer

    gates = Gates(baseline=False, own=["my:gate"])
    verdict = judge(measured(), gates, MOMENT, {"my:gate": gate})[-1]
    assert verdict.name == "my:gate"
    assert verdict.verdict == expected
    assert words in verdict.reason
