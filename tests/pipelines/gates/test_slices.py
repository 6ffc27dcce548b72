"""Slices against the champion, by a table of cases, and the level held over all of them together."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pipelines.config import SliceGate
from pipelines.gates.slices import asks_anything, judge_slices
from pipelines.records import Evaluation, Interval, SliceMetric
from tests.pipelines.gates.cases import compared, difference
from tests.pipelines.gates.test_judging import measured

GATE = SliceGate()


def part(name: str, value: float = 0.0, error: float = 0.1, rows: int = 200, **changed: Any) -> SliceMetric:
    """RMSE 10 of both, better by `value`: 0.5 may be lost."""
    plain: dict[str, Any] = {
        "name": name,
        "found": False,
        "rows": rows,
        "interval": Interval(value=10.0, low=9.0, high=11.0),
        "champion": 10.0,
        "difference": difference(value, error, rows=rows),
    }
    return SliceMetric(**(plain | changed))


def with_slices(*parts: SliceMetric, champion: bool = True) -> Evaluation:
    comparison = compared(difference(0.0, 0.1)) if champion else None
    return measured(slices=list(parts), comparison=comparison)


@pytest.mark.parametrize(
    ("parts", "expected", "words"),
    [
        ([part("a"), part("b")], "pass", "All of 2 slices pass."),
        ([part("a"), part("b", -2.0)], "fail", "b: rmse 10"),
        ([part("a"), part("b", 0.0, error=1.0)], "inconclusive", "b: rmse 10"),
        ([part("a", -0.5), part("b", 0.0, error=1.0)], "inconclusive", "a: rmse 10"),
        ([part("a", -2.0), part("b", 0.0, error=1.0)], "fail", "may be worse by 0.5"),
        # Worse by 0.5 + 1.8 errors: enough for one slice, not for one of ten.
        ([part("a", -0.68)], "fail", "a: rmse"),
        ([part("a", -0.68)] + [part(str(i)) for i in range(9)], "inconclusive", "a: rmse"),
        ([part("a"), part("b", -2.0, rows=99)], "pass", "Not judged, for fewer than 100 rows: b (99)"),
        ([part("a"), part("b", rows=0, interval=None, champion=None, difference=None)], "pass", "b (none)"),
        ([part("b", rows=0, interval=None)], "inconclusive", "No slice has 100 test rows"),
        ([part("a", difference=None, champion=None)], "inconclusive", "a: too few rows that the champion"),
        ([part("a", interval=None)], "inconclusive", "a: rmse has no value on 200 rows"),
        ([part("a"), part("b", -2.0, found=True)], "pass", "All of 1 slices pass."),
        ([], "inconclusive", "No slice has 100 test rows"),
    ],
)
def test_slices(parts: list[SliceMetric], expected: str, words: str) -> None:
    verdict = judge_slices(with_slices(*parts), GATE)
    assert verdict.verdict == expected
    assert words in verdict.reason


@pytest.mark.parametrize(
    ("bounds", "expected"),
    [
        ({"at_most": 10.9}, "pass"),  # 10 between 9 and 11: 1.645 errors of 0.51 are 0.84
        ({"at_most": 10.8}, "inconclusive"),
        ({"at_most": 9.2}, "inconclusive"),
        ({"at_most": 9.1}, "fail"),
        ({"at_least": 9.1}, "pass"),
        ({"at_least": 10.9}, "fail"),
        ({}, "pass"),
    ],
)
def test_each_slice_has_a_threshold(bounds: dict[str, float], expected: str) -> None:
    gate = SliceGate(margin=None, least_rows=10, **bounds)
    verdict = judge_slices(with_slices(part("a"), champion=False), gate)
    assert verdict.verdict == expected
    assert ("rows would" in verdict.reason or "would be needed" in verdict.reason) == (
        expected == "inconclusive"
    )
    few = judge_slices(with_slices(part("a", rows=12), champion=False), gate)
    assert few.verdict == ("inconclusive" if bounds else "pass")
    assert asks_anything(with_slices(part("a"), champion=False), gate) == bool(bounds)


def test_how_many_rows_would_do_is_said_at_the_gates_own_level() -> None:
    """0.5 above its bound, with 1 to either side at 97.5 %: (1.645 + 0.842) / 1.96 / 0.5 = 2.538."""
    verdict = judge_slices(with_slices(part("a"), champion=False), SliceGate(margin=None, at_least=9.5))
    assert "about 1,288 would be needed." in verdict.reason  # 200 x 2.538^2


def test_one_slice_of_ten_is_that_far_off_by_chance() -> None:
    gate = SliceGate(margin=None, at_most=9.1)
    easy = [part(str(i), interval=Interval(value=5.0, low=4.0, high=6.0)) for i in range(9)]
    assert judge_slices(with_slices(part("a"), champion=False), gate).verdict == "fail"
    assert judge_slices(with_slices(part("a"), *easy, champion=False), gate).verdict == "inconclusive"


def test_a_first_model_is_asked_nothing_but_thresholds() -> None:
    assert not asks_anything(with_slices(part("a"), champion=False), GATE)
    assert asks_anything(with_slices(part("a")), GATE)


@pytest.mark.parametrize(("others", "wrong"), [(-0.5, "fail"), (0.5, "pass")])
def test_ten_slices_keep_the_level_together(others: float, wrong: str) -> None:
    """1,000 seeded evaluations, at the edge: one slice is worse by just the margin, the others by that, too,
    or not at all. A fail, or a pass, comes at most as often as the level says, but for chance (binomial)."""
    random, found = np.random.default_rng(5), 0
    for _ in range(1000):
        truths = [-0.5, *[others] * 9]
        parts = [part(str(i), random.normal(truth, 0.1), 0.1) for i, truth in enumerate(truths)]
        found += judge_slices(with_slices(*parts), GATE).verdict == wrong
    assert 20 < found <= 1000 * 0.05 + 2.33 * np.sqrt(1000 * 0.05 * 0.95)
