"""The fairness gate: every two groups, each rate that a bound is of, and what the rows cannot tell."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError
from scipy.stats import binom

from pipelines.config import FairnessGate, Gates
from pipelines.evaluation.fairness import share
from pipelines.gates.fairness import judge_fairness
from pipelines.records import GateVerdict, GroupFairness, GroupRates, Rate
from tests.pipelines.gates.test_judging import measured

Shares = dict[str, tuple[int, int]]  # of a group: how many, of how many rows


def said(gate: dict[str, Any], **rates: Shares) -> GateVerdict:
    """What the gate says of groups whose rates are such shares of rows."""
    names = {name for groups in rates.values() for name in groups}
    plain = dict.fromkeys(("selection", "true_positive", "false_positive", "calibration"))
    groups = [
        GroupRates(
            group=f"sex = {name}",
            rows=500,
            **(plain | {rate: share_of(*of[name]) for rate, of in rates.items() if name in of}),
        )
        for name in sorted(names)
    ]
    widest = dict.fromkeys(("selection_ratio", "odds_difference", "calibration_difference"))
    fairness = [GroupFairness(column="sex", groups=groups, **widest)]
    return judge_fairness(measured(fairness=fairness), FairnessGate.model_validate(gate))


def share_of(hits: int, rows: int) -> Rate | None:
    return share(np.arange(rows) < hits)


ALIKE = {"f": (400, 800), "m": (1000, 2000)}


@pytest.mark.parametrize(
    ("gate", "rates", "expected", "words"),
    [
        (
            {"selection_ratio": 0.8},
            {"selection": {"f": (480, 1000), "m": (500, 1000)}},
            "pass",
            "selection ratio 0.96 (f and m), between 0.8905 and 1.035 with 0.95 certainty each, 1,000 rows",
        ),
        (
            {"selection_ratio": 0.8},
            {"selection": {"f": (420, 1000), "m": (500, 1000)}},
            "inconclusive",
            "at least 0.8",
        ),
        (
            {"selection_ratio": 0.8},
            {"selection": {"f": (300, 1000), "m": (500, 1000)}},
            "fail",
            "selection ratio 0.6",
        ),
        (
            {"selection_ratio": 0.8},
            {"selection": {"f": (0, 900), "m": (0, 900)}},
            "inconclusive",
            "nobody is",
        ),
        (
            {"odds_difference": 0.1},
            {"true_positive": ALIKE, "false_positive": ALIKE},
            "pass",
            "true positive",
        ),
        (  # the positives of one group are too few, however alike the negatives are
            {"odds_difference": 0.1},
            {"true_positive": {"f": (9, 29), "m": (1000, 2000)}, "false_positive": ALIKE},
            "inconclusive",
            "true positive rates unknown, no two groups have rows enough; at most 0.1 is wanted."
            " Not compared, for fewer than 30 rows: f.",
        ),
        (  # the rate that is known less well is not hidden by the one that differs more
            {"odds_difference": 0.1},
            {
                "true_positive": {"f": (20, 40), "m": (1000, 2000)},
                "false_positive": {"f": (440, 800), "m": (1000, 2000)},
            },
            "inconclusive",
            "difference of true positive rates 0 (f and m), between -0.1",
        ),
        (  # nor is a pair of groups hidden by one that is farther apart
            {"odds_difference": 0.1},
            {
                "true_positive": {"f": (2000, 4000), "m": (2200, 4000), "x": (20, 40)},
                "false_positive": ALIKE,
            },
            "inconclusive",
            "difference of true positive rates 0.05 (x and m), between -0.0",
        ),
        (
            {"odds_difference": 0.1},
            {"true_positive": ALIKE, "false_positive": {"f": (240, 800), "m": (1000, 2000)}},
            "fail",
            "difference of false positive rates 0.2 (f and m)",
        ),
        ({"calibration_difference": 0.1}, {"calibration": ALIKE}, "pass", "difference of calibration 0 "),
        ({"calibration_difference": 0.1, "least_rows": 900}, {"calibration": ALIKE}, "inconclusive", ": f."),
    ],
)
def test_fairness(gate: dict[str, Any], rates: dict[str, Shares], expected: str, words: str) -> None:
    verdict = said(gate, **rates)
    assert words in verdict.reason
    assert verdict.verdict == expected
    assert verdict.reason.startswith("sex: ")


def test_groups_that_were_not_measured_are_told() -> None:
    groups = GroupFairness(
        column="zip",
        groups=[],
        left_out=900,
        selection_ratio=None,
        odds_difference=None,
        calibration_difference=None,
    )
    verdict = judge_fairness(measured(fairness=[groups]), FairnessGate(odds_difference=0.1))
    assert "Not compared: 900 smaller groups." in verdict.reason


def test_fairness_without_groups_or_bounds() -> None:
    verdict = judge_fairness(measured(), FairnessGate(odds_difference=0.1))
    assert verdict.verdict == "inconclusive"
    with pytest.raises(ValidationError, match="expected selection_ratio, odds_difference or"):
        Gates.model_validate({"fairness": {}})


@pytest.mark.parametrize(
    ("gate", "true_rates", "rows", "wrong"),
    [
        ({"odds_difference": 0.1}, (0.4, 0.5, 0.5), 400, "pass"),
        ({"odds_difference": 0.1}, (0.4, 0.4, 0.5), 400, "fail"),
        ({"odds_difference": 0.01}, (0.5, 0.5), 400, "fail"),
        ({"selection_ratio": 0.8}, (0.1, 0.1), 30, "fail"),
        ({"selection_ratio": 0.8}, (0.1,) * 5, 30, "fail"),
        ({"selection_ratio": 0.8}, (0.08, 0.1), 2000, "pass"),
        ({"selection_ratio": 0.8}, (0.08, 0.1), 2000, "fail"),
    ],
)
def test_it_errs_at_most_as_often_as_its_level(
    gate: dict[str, float], true_rates: tuple[float, ...], rows: int, wrong: str
) -> None:
    """1,000 seeded tables of groups no farther apart than the bound allows, or for a pass just so far."""
    rng, found = np.random.default_rng(5), 0
    for hits in rng.binomial(rows, true_rates, (1000, len(true_rates))):
        groups = dict(zip("abcde", ((int(n), rows) for n in hits), strict=False))
        rates = {"selection": groups} if "selection_ratio" in gate else {"true_positive": groups}
        fine = {"a": (1, 9999), "b": (1, 9999)}
        found += said(gate, **rates, false_positive=fine).verdict == wrong
    assert found <= binom.ppf(0.99, 1000, 0.05)
