"""The verdict on a window, as tables of cases."""

from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.config import Monitoring
from pipelines.monitoring.judge import judge_window
from pipelines.monitoring.report import render_drift
from pipelines.records import ColumnDrift, Drift, Interval, Quality, WindowJudgment, WindowMeasure

RULES = Monitoring(minimum_rows=200, drifted_share=0.3, quality_tolerance=0.25)


def make_drift(moved=(), calm=()):
    scores = [(name, 0.5) for name in moved] + [(name, 0.05) for name in calm]
    columns = [
        ColumnDrift(column=name, method="wasserstein", score=score, threshold=0.1) for name, score in scores
    ]
    return Drift(columns=columns, rows=500)


def make_quality(low, high, expected, metric="rmse"):
    realised = Interval(value=(low + high) / 2, low=low, high=high)
    return Quality(metric=metric, labelled=100, realised=realised, expected=expected)


def make_measure(rows=500, drift=None, quality=None):
    return WindowMeasure(
        pipeline="rides",
        start=datetime(2024, 1, 1),
        end=datetime(2024, 1, 8),
        version=3,
        rows=rows,
        labelled=quality.labelled if quality else 0,
        drift=drift,
        quality=quality,
    )


CALM = make_drift(calm="abcdefghij")
CASES = {
    "too few rows": (
        "insufficient",
        {"rows": 199, "drift": make_drift(moved="abc")},
        "199 rows are fewer than the 200",
    ),
    "just enough rows": ("healthy", {"rows": 200, "drift": CALM}, "None of 10 columns moved"),
    "nothing measured": ("healthy", {}, "Drift was not measured"),
    "a few columns": (
        "healthy",
        {"drift": make_drift("ab", "cdefghij")},
        "2 of 10 columns moved: a (wasserstein 0.50",
    ),
    "three in ten": ("drift", {"drift": make_drift("abc", "defghij")}, "3 of 10 columns moved"),
    "the prediction alone": (
        "drift",
        {"drift": make_drift(["_prediction"], "abcdefghij")},
        "_prediction (wass",
    ),
    "two tests of one column": ("healthy", {"drift": make_drift("aaa", "bcdefghij")}, "1 of 10 columns"),
    "a worse loss": (
        "degraded",
        {"quality": make_quality(126, 140, 100)},
        "rmse 133 (95 % from 126 to 140) on 100",
    ),
    "an uncertain loss": ("healthy", {"quality": make_quality(124, 200, 100)}, "expected 100"),
    "a better loss": ("healthy", {"quality": make_quality(10, 20, 100)}, "expected 100"),
    "degraded and drifted": (
        "degraded",
        {"quality": make_quality(126, 140, 100), "drift": make_drift("abc", "d")},
        "3 of 4 columns moved",
    ),
}


@pytest.mark.parametrize(("verdict", "measured", "words"), CASES.values(), ids=CASES)
def test_verdict(verdict, measured, words):
    found, reason = judge_window(make_measure(**measured), RULES, higher_is_better=False)
    assert found == verdict
    assert words in reason


@pytest.mark.parametrize(
    ("low", "high", "expected", "verdict"),
    [
        (0.5, 0.59, 0.8, "degraded"),
        (0.5, 0.61, 0.8, "healthy"),
        (0.9, 0.95, 0.8, "healthy"),
        (-0.6, -0.5, -0.2, "degraded"),
    ],
)
def test_where_higher_is_better(low, high, expected, verdict):
    measure = make_measure(quality=make_quality(low, high, expected, "r2"))
    assert judge_window(measure, RULES, higher_is_better=True)[0] == verdict


@given(low=st.floats(-1e6, 1e6), width=st.floats(0, 1e6), expected=st.floats(-1e6, 1e6), higher=st.booleans())
def test_an_interval_that_holds_the_expected_value_is_never_degraded(low, width, expected, higher):
    measure = make_measure(quality=make_quality(low, low + width, expected))
    verdict, _ = judge_window(measure, RULES, higher_is_better=higher)
    if low <= expected <= low + width:
        assert verdict == "healthy"


def test_the_table_for_people_has_the_furthest_first_and_cannot_be_broken():
    drift = make_drift(["a|b\n<b>"], ["calm"])
    judgment = WindowJudgment(
        measure=make_measure(drift=drift),
        verdict="drift",
        decision="suggest",
        reason="a | <i>b</i>",
        cause="c0ffee",
    )
    text = render_drift(judgment)
    lines = [line for line in text.splitlines() if line.startswith("|")]
    assert len(lines) == 4
    assert "a\\|b &lt;b&gt;" in lines[2]
    assert "calm" in lines[3]
    assert "<i>" not in text
    assert "2024-01-01 00:00 to 2024-01-08 00:00" in text
