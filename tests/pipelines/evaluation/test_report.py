"""A judgment as Markdown: what was measured has a table, what was not has none."""

from __future__ import annotations

from typing import Any

import pytest

from pipelines.evaluation.report import render_judgment
from pipelines.records import (
    Comparison,
    Evaluation,
    Footprint,
    GateVerdict,
    GroupFairness,
    Importance,
    Interval,
    Probe,
    Rate,
    SliceMetric,
    TrainOutcome,
)


@pytest.fixture
def evaluation() -> Evaluation:
    plain: dict[str, Any] = {"attempt": "a", "task": "binary", "metric": "auc", "rows": 100, "baselines": []}
    interval = Interval(value=0.8, low=0.7, high=0.9)
    return Evaluation(metrics={"auc": 0.8}, intervals={"auc": interval}, **plain)


def render(evaluation: Evaluation) -> str:
    verdicts = [
        GateVerdict(name="leak", verdict="inconclusive", reason="x | y, " + "z " * 400 + "rows needed")
    ]
    outcome = TrainOutcome(status="rejected", pipeline="p", dataset={"id": "p@3"})
    return render_judgment(evaluation, verdicts, outcome, "r1")


def test_what_was_measured_is_told(evaluation: Evaluation) -> None:
    found = evaluation.model_copy(
        update={
            "slices": [
                SliceMetric(name="a <b>", found=False, rows=0),
                SliceMetric(name="c", found=True, rows=9, among=70, interval=evaluation.intervals["auc"]),
            ],
            "comparison": Comparison(
                champion_version=2, rows=60, left_out=40, metrics={"auc": 0.7}, champion_metrics={"auc": 0.6}
            ),
            "fairness": [
                GroupFairness(
                    column="sex",
                    groups=[],
                    selection_ratio=Rate(value=0.8, error=0.1, rows=50),
                    odds_difference=None,
                    calibration_difference=None,
                )
            ],
            "importances": [Importance(column="x", permutation=0.1, deviation=0.01, alone=0.5)],
            "probes": [Probe(name="missing", column="x", rows=5, failure="it fell")],
            "footprint": Footprint(
                load_seconds=1,
                latency_p50=2,
                latency_p99=3,
                rows_per_second=4,
                memory_bytes=5e6,
                size_bytes=6e6,
            ),
        }
    )
    text = render(found)
    for line in (
        "| metric | challenger | 95 % interval | challenger on 60 rows | champion on 60 rows |",
        "| auc | 0.8 | 0.7 to 0.9 | 0.7 | 0.6 |",
        "| c (found) | 9 of 70 | 0.8 (95 % interval 0.7 to 0.9) | - |",
        "| sex | 0.8 ± 0.1 | - | - |",
        "it fell",
        "5 MB of",
    ):
        assert line in text
    assert "<b>" not in text
    assert "| x | 0.1 ± 0.01 | - | 0.5 |" in text


def test_what_was_not_measured_has_no_table(evaluation: Evaluation) -> None:
    text = render(evaluation)
    assert "❔ inconclusive" in text
    assert "rows needed |" in text  # what a long reason ends with
    assert not any(word in text for word in ("slice", "groups of", "by itself", "Loaded in"))
