"""The end of a training run is told once, and the same in the ledger."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from pipelines.errors import PromotionConflict
from pipelines.home import Home
from pipelines.ledger import Ledger
from pipelines.outcomes import (
    close_promotion,
    describe_dataset,
    describe_outcome,
    keep_out,
    known_outcome,
    mark_promoted,
    open_attempt,
    open_cause,
    plan_promotion,
    stale_reason,
    warned,
)
from pipelines.records import (
    Attempt,
    Baseline,
    Batch,
    Cause,
    Comparison,
    Evaluation,
    GateVerdict,
    Interval,
    ModelVersion,
    NoComparison,
    Snapshot,
    TrainedModel,
    TrainOutcome,
    ValidationReport,
    count_rows,
)

HERE = Interval(value=2.0, low=1.0, high=3.0)
BATCH = Batch(
    pipeline="trips", id="b", folder="f", rows=110, known=10, sources=[], warnings=["ZONE is read as zone"]
)
REPORT = ValidationReport(pipeline="trips", batch="b", rows=110, quarantined=4, results=[], warnings=["old"])
PASSED = [GateVerdict(name="smoke", verdict="pass", reason="")]


def attempt(version: int) -> Attempt:
    snapshot = Snapshot(pipeline="trips", uri="rows", version=version, rows=10, fingerprint="f")
    return Attempt(id=f"trips-{version}", pipeline="trips", snapshot=snapshot, folder="a", cause="c")


def version_of(number: int) -> ModelVersion:
    return ModelVersion(name="trips", version=number, run_id="r", attempt=f"trips-{number}")


def evaluation(champion: int | None) -> Evaluation:
    compared = (
        Comparison(
            champion_version=champion,
            rows=40,
            left_out=10,
            metrics={"rmse": 2.5},
            champion_metrics={"rmse": 3.0},
        )
        if champion
        else None
    )
    return Evaluation(
        attempt="a",
        task="regression",
        metric="rmse",
        rows=50,
        metrics={"rmse": 2.0},
        intervals={"rmse": HERE},
        baselines=[Baseline(name="training mean", metrics={"rmse": 9.0}, differences={})],
        comparison=compared,
    )


@pytest.fixture
def ledger(home: Home) -> Ledger:
    return Ledger.open(home)


@pytest.fixture
def enter(home: Home, ledger: Ledger, define: Any) -> Any:
    """Register a version and make it champion, as the flow does."""

    def make(number: int, champion: int | None) -> Any:
        ledger.start_attempt(attempt(number), {}, {})
        trained = TrainedModel(attempt=f"trips-{number}", kind="mlp", folder="b", files={}, seconds=1.0)
        ledger.record_version(f"trips-{number}", trained, number)
        cause = open_cause(home, "trips", None, "more rows")
        row = plan_promotion(define(), version_of(number), evaluation(champion), cause, PASSED)
        told = TrainOutcome(status="inconclusive", pipeline="trips", attempt=f"trips-{number}")
        return ledger.confirm(ledger.promote(row, mark_promoted(told, version_of(number))))

    return make


def test_a_run_says_where_its_rows_went() -> None:
    told = describe_dataset(BATCH, REPORT, attempt(3).snapshot)
    assert told == {
        "id": "trips@3",
        "version": 3,
        "rows": 10,
        "read": 120,
        "known": 10,
        "accepted": 106,
        "quarantined": 4,
        "refused": 0,
    }
    refused = count_rows(BATCH, REPORT.model_copy(update={"refused": "too few"}))
    words = "read 120 = 10 known + 0 accepted + 0 quarantined + 110 refused"
    assert str(refused) == words


def test_a_run_by_hand_has_a_cause_of_its_own(home: Home, ledger: Ledger) -> None:
    first, second = open_cause(home, "trips", None, "I want to"), open_cause(home, "trips", None, None)
    assert (first.kind, first.reason, second.reason) == ("person", "I want to", "started by hand")
    assert ledger.causes("trips") == [first, second]
    assert ledger.causes(unsent=True) == []  # nobody has to be told of what a person did


def test_a_cause_that_is_named_is_the_stored_one(home: Home, ledger: Ledger) -> None:
    stored = Cause(
        id="c9", pipeline="trips", kind="drift", reason="moved", version=1, created=datetime(2026, 1, 1)
    )
    ledger.add_cause(stored)
    assert open_cause(home, "trips", "c9", "ignored") == stored
    assert open_cause(home, "trips", "c10", None).id == "c10"


def test_a_cause_said_of_an_earlier_champion_is_stale(home: Home, enter: Any) -> None:
    cause = Cause(
        id="c", pipeline="trips", kind="drift", reason="moved", version=1, created=datetime(2026, 1, 1)
    )
    assert stale_reason(home, cause) is None  # nobody to be stale against
    enter(1, None)
    assert stale_reason(home, cause) is None
    enter(2, 1)
    assert "said of version 1; now version 2 is champion" in str(stale_reason(home, cause))
    assert stale_reason(home, cause.model_copy(update={"version": None})) is None


@pytest.mark.parametrize(("verdict", "status"), [("fail", "rejected"), ("inconclusive", "inconclusive")])
def test_what_was_kept_out_is_judged_again(
    home: Home, ledger: Ledger, define: Any, verdict: str, status: str
) -> None:
    """Against the champion of that day, which may be another."""
    open_attempt(define(), home, attempt(1))
    assert known_outcome(home, attempt(1), BATCH, REPORT) is None
    told = TrainOutcome(
        status="inconclusive", pipeline="trips", attempt="trips-1", metrics={"rmse": 2.0}, warnings=["w"]
    )
    assert keep_out(home, told, verdict, {"train": 1.0}).status == status
    stored = ledger.outcome("trips-1")
    assert stored is not None
    assert (stored.status, stored.metrics, stored.seconds) == (status, {"rmse": 2.0}, {"train": 1.0})
    assert known_outcome(home, attempt(1), BATCH, REPORT) is None


def test_a_failed_attempt_may_be_tried_again(home: Home, ledger: Ledger, define: Any) -> None:
    open_attempt(define(), home, attempt(1))
    ledger.finish_attempt(TrainOutcome(status="failed", pipeline="trips", attempt="trips-1"))
    assert known_outcome(home, attempt(1), BATCH, REPORT) is None


def test_what_became_of_the_promotion_is_told(home: Home, ledger: Ledger, enter: Any) -> None:
    final = close_promotion(home, enter(4, None), {"train": 1.0})
    assert (final.status, final.model) == ("promoted", {"name": "trips", "version": 4, "run_id": "r"})
    assert (final.seconds, ledger.outcome("trips-4")) == ({"train": 1.0}, final)


def test_a_champion_that_cannot_answer_is_said_and_still_the_one_to_replace(define: Any) -> None:
    broken = NoComparison(champion_version=3, reason="its files were changed")
    measured = evaluation(None).model_copy(update={"no_comparison": broken})
    cause = Cause(
        id="c", pipeline="trips", kind="person", reason="r", version=None, created=datetime(2026, 1, 1)
    )
    row = plan_promotion(define(), version_of(4), measured, cause, PASSED)
    assert row.previous == 3
    assert "version 3, cannot answer: its files were changed" in row.why
    told = warned(describe_outcome(attempt(4), BATCH, REPORT, measured, PASSED, "r"), "a moved alias")
    assert "Judged against the baseline alone" in told.warnings[-1]
    assert told.warnings[0] == "a moved alias"
    assert warned(told, None) == told
    beside = describe_outcome(attempt(4), BATCH, REPORT, evaluation(3), PASSED, "r")
    assert (beside.metrics, beside.champion_metrics) == ({"rmse": 2.0}, {"rmse": 3.0})
    assert (beside.compared_rows, beside.compared_metrics) == (40, {"rmse": 2.5})


def test_killed_right_after_the_promotion_it_is_known_as_promoted(home: Home, enter: Any) -> None:
    """The next run of the same attempt finds it so, and makes no second promotion of itself by itself."""
    enter(1, None)
    known = known_outcome(home, attempt(1), BATCH, REPORT)
    assert known is not None
    assert (known.status, known.model["version"], known.dataset["known"]) == ("reused", 1, 10)
    assert known.warnings[:2] == ["ZONE is read as zone", "old"]
    assert enter(1, 1).previous is None
    assert len(Ledger.open(home).champions("trips")) == 1


def test_a_promotion_says_why_and_is_judged_against_the_champion_it_met(enter: Any) -> None:
    first, second = enter(1, None), enter(2, 1)
    assert (first.version, first.previous, second.version, second.previous) == (1, None, 2, 1)
    assert second.why == "more rows; passed smoke: rmse 2"
    assert enter(2, 1) == second
    with pytest.raises(PromotionConflict):
        enter(3, 1)
