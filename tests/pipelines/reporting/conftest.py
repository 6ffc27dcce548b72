"""A made-up story of eight weeks: calm, shifted inputs, a change of meaning, a try in vain, a champion."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from pipelines.records import (
    Cause,
    ColumnDrift,
    Drift,
    GateVerdict,
    Interval,
    Promotion,
    Quality,
    WindowJudgment,
    WindowMeasure,
)
from pipelines.reporting import AttemptLine, Story

START = datetime(2025, 5, 10)
NOW = datetime(2026, 2, 3, 9, 30, tzinfo=UTC)
COLUMNS = [
    "zone",
    "temperature",
    "rain",
    "wind",
    "holiday",
    "price",
    "event_nearby",
    "<script>alert('x')</script>",
]
WEEKS = [  # verdict, decision, version, rmse, expected, drift of temperature, wind and price, cause
    ("healthy", "none", 1, 24.1, 24.9, 0.05, 0.07, 0.03, None),
    ("healthy", "none", 1, 25.6, 24.9, 0.04, 0.02, 0.04, None),
    ("drift", "suggest", 1, 22.7, 24.9, 2.28, 0.61, 1.41, None),
    ("healthy", "none", 1, 26.5, 24.9, 0.06, 0.11, 0.03, None),
    ("degraded", "retrain", 1, 55.9, 24.9, 0.05, 0.05, 0.02, "degraded-1"),
    ("degraded", "retrain", 1, 54.1, 24.9, 0.05, 0.04, 0.02, "degraded-2"),
    ("healthy", "none", 2, 27.8, 26.9, 0.05, 0.04, 0.05, None),
    ("insufficient", "none", 2, None, 26.9, None, None, None, None),
]


def judgment(n: int) -> WindowJudgment:
    verdict, decision, version, rmse, expected, temperature, wind, price, cause = WEEKS[n]
    start = START + timedelta(weeks=n)
    drift = quality = None
    if temperature is not None:
        moved = {"temperature": temperature, "wind": wind, "price": price}
        scores = [
            ColumnDrift(
                column=c, method="Wasserstein distance (normed)", score=moved.get(c, 0.01 * i), threshold=0.1
            )
            for i, c in enumerate(COLUMNS)
        ]
        drift = Drift(columns=scores, rows=2016)
    if rmse is not None:
        quality = Quality(
            metric="rmse",
            labelled=2016,
            realised=Interval(value=rmse, low=rmse * 0.95, high=rmse * 1.06),
            expected=expected,
        )
    rows = 2016 if drift else 96
    reason = {
        "healthy": f"rmse {rmse} against {expected} expected; 0 of 8 columns drifted",
        "drift": "3 of 8 columns drifted (temperature, price, wind), more than 30 %; rmse 22.7 still holds",
        "degraded": f"rmse {rmse} is more than 25 % above the expected {expected}",
        "insufficient": "96 rows, fewer than the 500 that a judgment needs",
    }[verdict]
    measure = WindowMeasure(
        pipeline="rides",
        start=start,
        end=start + timedelta(weeks=1),
        version=version,
        rows=rows,
        labelled=rows if quality else 0,
        drift=drift,
        quality=quality,
    )
    return WindowJudgment(measure=measure, verdict=verdict, decision=decision, reason=reason, cause=cause)


def gates(margin: str, reason: str) -> list[GateVerdict]:
    return [
        GateVerdict(name="threshold r2", verdict="pass", reason="0.68, at least 0.4"),
        GateVerdict(name="baseline", verdict="pass", reason="rmse 41.2 better than always the mean"),
        GateVerdict(name="champion", verdict=margin, reason=reason),
        GateVerdict(name="smoke", verdict="pass", reason="loads and answers"),
    ]


@pytest.fixture
def story() -> Story:
    minutes = [NOW + timedelta(minutes=m) for m in (-5, -3, -2, 0)]
    causes = [
        Cause(
            id=f"degraded-{n}",
            pipeline="rides",
            kind="degraded",
            reason=f"rmse {rmse} in the week from {day}, 24.9 expected",
            version=1,
            created=minutes[n],
        )
        for n, rmse, day in ((1, 55.9, "7 June"), (2, 54.1, "14 June"))
    ]
    return Story(
        pipeline="rides",
        metric="rmse",
        higher_is_better=False,
        windows=[judgment(n) for n in range(len(WEEKS))][::-1],
        attempts=[
            AttemptLine(
                id="a-3f9c2e71d0",
                started=minutes[0],
                status="promoted",
                cause="a person: first model",
                snapshot="rides@9",
                version=1,
                metrics={"rmse": 24.9, "mae": 17.3, "r2": 0.712},
                gates=gates("pass", "there is no champion yet"),
                seconds=21.4,
            ),
            AttemptLine(
                id="a-77b01c55e2",
                started=minutes[1],
                status="inconclusive",
                cause=causes[0].reason,
                cause_id="degraded-1",
                snapshot="rides@14",
                version=None,
                metrics={"rmse": 40.3, "mae": 29.9, "r2": 0.21},
                gates=gates("inconclusive", "better by 1.1 rmse, but the interval -0.9 to 3.2 holds zero"),
                seconds=24,
            ),
            AttemptLine(
                id="a-c0ffee1234",
                started=minutes[2],
                status="promoted",
                cause=causes[1].reason,
                cause_id="degraded-2",
                snapshot="rides@15",
                version=2,
                metrics={"rmse": 26.9, "mae": 18.8, "r2": 0.684},
                gates=gates("pass", "better by 28.7 rmse (26.1 to 31.4) on the same 484 rows"),
                seconds=83,
            ),
        ],
        champions=[
            Promotion(
                pipeline="rides",
                seq=1,
                version=1,
                previous=None,
                attempt="a-3f9c2e71d0",
                cause=None,
                why="first model, all gates passed",
                since=minutes[0],
                until=minutes[2],
            ),
            Promotion(
                pipeline="rides",
                seq=2,
                version=2,
                previous=1,
                attempt="a-c0ffee1234",
                cause="degraded-2",
                why="loss of quality in production; all gates passed",
                since=minutes[2],
            ),
        ],
        causes=causes,
        generated=NOW,
    )
