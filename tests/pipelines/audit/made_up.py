"""Evidence of a pipeline that has gone the whole way, to be taken away piece by piece."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

from pipelines.audit.evidence import Evidence, JudgedBatch, Reproduced, VersionEvidence
from pipelines.config import Review
from pipelines.records import (
    Attempt,
    Baseline,
    Cause,
    ColumnDrift,
    Difference,
    Drift,
    Evaluation,
    Footprint,
    GateVerdict,
    GroupFairness,
    GroupRates,
    Importance,
    Interval,
    Probe,
    Promotion,
    Quality,
    Rate,
    RuleResult,
    SliceMetric,
    Snapshot,
    TrainOutcome,
    ValidationReport,
    WindowJudgment,
    WindowMeasure,
)

NOON = datetime(2026, 5, 1, 12)
WEEK = timedelta(days=7)
COLUMNS = ["zone", "price"]
BETTER = Difference(value=3.0, low=2.0, high=4.0, rows=400, error=0.5, rests_on=300.0, bounds=[])
RATE = Rate(value=0.4, error=0.02, rows=200)


def attempt(version: int) -> Attempt:
    snapshot = Snapshot(pipeline="rides", uri="rows", version=version, rows=2_000, fingerprint="f00")
    return Attempt(
        id=f"rides-{version}", pipeline="rides", snapshot=snapshot, folder=f"attempts/rides-{version}"
    )


def evaluation(**changed: Any) -> Evaluation:
    """Of a model that is measured in every way."""
    told: dict[str, Any] = {
        "attempt": "rides-2",
        "task": "regression",
        "metric": "rmse",
        "rows": 400,
        "metrics": {"rmse": 5.0, "r2": 0.8},
        "intervals": {"rmse": Interval(value=5.0, low=4.5, high=5.6)},
        "baselines": [
            Baseline(name="linear model", linear=True, metrics={"rmse": 8.0}, differences={"rmse": BETTER})
        ],
        "footprint": Footprint(
            load_seconds=0.2,
            latency_p50=1.0,
            latency_p99=2.0,
            rows_per_second=9e4,
            memory_bytes=200_000_000,
            size_bytes=90_000,
        ),
        "slices": [
            SliceMetric(
                name="zone = north",
                found=False,
                rows=40,
                interval=Interval(value=6.0, low=5.0, high=7.0),
            )
        ],
        "fairness": [
            GroupFairness(
                column="zone",
                groups=[
                    GroupRates(
                        group="zone = north",
                        rows=200,
                        selection=RATE,
                        true_positive=RATE,
                        false_positive=None,
                        calibration=RATE,
                    )
                ],
                selection_ratio=RATE,
                odds_difference=RATE,
                calibration_difference=RATE,
            )
        ],
        "probes": [Probe(name="missing", column="zone", rows=400, change=0.2)],
        "importances": [
            Importance(column=name, permutation=1.0, deviation=0.1, shapley=0.5, alone=0.3)
            for name in COLUMNS
        ],
        "newest": NOON,
    }
    return Evaluation(**told | changed)


def version(number: int, **changed: Any) -> VersionEvidence:
    told: dict[str, Any] = {
        "version": number,
        "kind": "mlp",
        "attempt": attempt(number),
        "started": NOON + number * WEEK - timedelta(minutes=1),
        "config": {
            "task": "regression",
            "data": {"target": "rides"},
            "model": {"kind": "auto"},
            "columns": {name: {"type": "category"} for name in [*COLUMNS[:number], "rides"]},
        },
        "inputs": COLUMNS,
        "losses": [1.0, 0.4],
        "outcome": TrainOutcome(
            status="promoted",
            pipeline="rides",
            attempt=f"rides-{number}",
            model={"run_id": "r1"},
            gates=[GateVerdict(name="baseline", verdict="pass", reason="better by 3")],
        ),
        "evaluation": evaluation(),
        "cause": Cause(id="c", pipeline="rides", kind="person", reason="first", version=None, created=NOON),
        "reigns": [promotion(number, number)],
    }
    return VersionEvidence(**told | changed)


def promotion(seq: int, number: int, **changed: Any) -> Promotion:
    told: dict[str, Any] = {
        "pipeline": "rides",
        "seq": seq,
        "version": number,
        "previous": seq - 1 or None,
        "attempt": f"rides-{number}",
        "cause": "c",
        "why": "passed baseline",
        "since": NOON + seq * WEEK,
        "state": "confirmed",
        "settled": NOON + seq * WEEK + timedelta(seconds=2),
        "approved_by": "Ada",
    }
    return Promotion(**told | changed)


def window(number: int, of: int, **changed: Any) -> WindowJudgment:
    start = NOON + number * WEEK
    drift = Drift(columns=[ColumnDrift(column="zone", method="m", score=0.1, threshold=0.2)], rows=900)
    realised = Interval(value=5.0 + number, low=4.0, high=9.0)
    quality = Quality(metric="rmse", labelled=800, realised=realised, expected=5.0)
    measure = WindowMeasure(
        pipeline="rides",
        start=start,
        end=start + WEEK,
        version=of,
        rows=900,
        labelled=800,
        drift=changed.get("drift", drift),
        quality=changed.get("quality", quality),
    )
    return WindowJudgment(measure=measure, verdict="healthy", decision="none", reason="calm")


def batch(*rules: str) -> JudgedBatch:
    results = [
        RuleResult(rule=rule, column=None, on_failure="warn", passed=True, message="") for rule in rules
    ]
    report = ValidationReport(pipeline="rides", batch="b1", rows=900, quarantined=3, results=results)
    return JudgedBatch(report=report, page="validation/b1.html")


def review(by: str = "Grace", note: str = "looked at it") -> Review:
    return Review(by=by, at=date(2026, 5, 1), note=note)


def whole(**changed: Any) -> Evidence:
    """All that can be proved: 24 tests answer by themselves, four wait for a person or a canary."""
    reviews = [f"audit.reviews.{name}" for name in changed.get("reviews", {})]
    keys = ("columns", "gates", "retraining", *reviews)
    told: dict[str, Any] = {
        "pipeline": "rides",
        "gathered": NOON,
        "places": {key: f"pipeline.yaml, line {n}" for n, key in enumerate(keys, 1)},
        "declared": COLUMNS,
        "retrains": ["degraded"],
        "batches": [batch("expect_column_values_to_not_be_null", "column_is_like_before")],
        "versions": [version(1), version(2)],
        "promotions": [promotion(1, 1), promotion(2, 2)],
        "windows": [window(1, 1), window(2, 1), window(3, 2)],
        "reproductions": [Reproduced(seq=9, time=NOON, version=2, agrees=True)],
        "predictions": {2: 900},
    }
    return Evidence(**told | changed)
