"""Every second is paid for once: by the promotion that came after it."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

import pytest

from evergreen import views
from evergreen.history import describe_history, show_history
from pipelines.costs import describe_cost, promotion_costs, settle_cost
from pipelines.home import Home
from pipelines.ledger import Ledger
from pipelines.outcomes import accounted, keep_out
from pipelines.records import Attempt, Cost, Promotion, Snapshot, StoredAttempt, TrainOutcome
from pipelines.registration import open_pipeline
from pipelines.training.folder import AttemptFolder
from pipelines.training.usage import Meter

MORNING = datetime(2026, 1, 1, 8)
SECOND = Cost(cpu_seconds=1, processes=1, money=2, currency="EUR")


def tried(hour: int, cost: Cost | None, id: str = "") -> StoredAttempt:
    snapshot = Snapshot(pipeline="t", uri="rows", version=1, rows=1, fingerprint="f")
    made = Attempt(id=id, pipeline="t", snapshot=snapshot, folder="a")
    return StoredAttempt(
        id=id, pipeline="t", started=MORNING + timedelta(hours=hour), attempt=made, cost=cost
    )


def promotion(seq: int, hour: int) -> Promotion:
    since = MORNING + timedelta(hours=hour)
    return Promotion(
        pipeline="t", seq=seq, version=seq, previous=None, attempt=f"a{seq}", cause=None, why="w", since=since
    )


@pytest.fixture
def attempt(home: Home) -> Attempt:
    snapshot = Snapshot(pipeline="trips", uri="rows", version=3, rows=10, fingerprint="f")
    folder = home.pipeline("trips").attempts / "trips-1"
    folder.mkdir(parents=True)
    return Attempt(id="trips-1", pipeline="trips", snapshot=snapshot, folder=str(folder))


def work(attempt: Attempt, failure: str | None = None) -> None:
    with Meter(AttemptFolder.of(attempt), "driver"):
        sum(range(1_000_000))
    if failure:
        raise ValueError(failure)


def test_a_promotion_pays_for_all_that_was_tried_since_the_one_before() -> None:
    attempts = [tried(0, SECOND), tried(1, SECOND), tried(2, None), tried(3, SECOND), tried(9, SECOND)]
    costs = promotion_costs(attempts, [promotion(1, 1), promotion(2, 4), promotion(3, 5)])
    assert {seq: cost.cpu_seconds for seq, cost in costs.items()} == {1: 2, 2: 1, 3: 0}
    late = promotion_costs([tried(0, SECOND, "a2"), tried(0, SECOND)], [promotion(1, 1), promotion(2, 4)])
    assert {seq: cost.cpu_seconds for seq, cost in late.items()} == {1: 1, 2: 1}  # begun early, let in late


def test_a_failure_is_kept_with_its_reason_and_cost(home: Home, define: Any, attempt: Attempt) -> None:
    config = define(prices={"cpu_hour": 3600, "currency": "CHF"})
    with pytest.raises(ValueError, match="NaN"), accounted(config, home, attempt):
        work(attempt, "The loss is NaN in epoch 3.")
    outcome = Ledger.open(home).outcome("trips-1")
    assert outcome is not None
    assert outcome.cost is not None
    assert (outcome.status, outcome.reason) == ("failed", "The loss is NaN in epoch 3.")
    assert outcome.cost.money == pytest.approx(outcome.cost.cpu_seconds, abs=1e-3)
    assert "CHF" in describe_cost(outcome.cost)


def test_one_that_was_cancelled_is_kept_too(home: Home, define: Any, attempt: Attempt) -> None:
    with pytest.raises(KeyboardInterrupt), accounted(define(), home, attempt):
        raise KeyboardInterrupt
    outcome = Ledger.open(home).outcome("trips-1")
    assert outcome is not None
    assert outcome.status == "failed"
    assert "cancelled" in str(outcome.reason)


def test_the_last_word_has_what_was_used_in_vain(home: Home, define: Any, attempt: Attempt) -> None:
    config = define()
    with pytest.raises(ValueError, match="no"), accounted(config, home, attempt):
        work(attempt, "no")
    before = settle_cost(home, "trips-1")
    with accounted(config, home, attempt):
        work(attempt)
    told = TrainOutcome(status="inconclusive", pipeline="trips", attempt="trips-1")
    after = keep_out(home, told, "fail", {}).cost
    assert before is not None
    assert after is not None
    assert (before.processes, after.processes) == (1, 2)
    assert after.cpu_seconds > before.cpu_seconds
    for file in AttemptFolder.of(attempt).usage.iterdir():
        file.unlink()
    assert settle_cost(home, "trips-1") == after  # a folder that is gone takes nothing back


def test_history_and_status_say_what_failed_and_why(
    home: Home, define: Any, attempt: Attempt, capsys: pytest.CaptureFixture[str]
) -> None:
    config = define()
    path = home.root / "trips.yaml"
    path.write_text(json.dumps(config.model_dump(mode="json", exclude={"folder"})))
    open_pipeline(home, str(path))
    with pytest.raises(ValueError, match="NaN"), accounted(config, home, attempt):
        work(attempt, "NaN in epoch 3")
    answer = describe_history(home, "trips")
    [tried] = answer["attempts"]
    assert (tried["status"], tried["failure"]) == ("failed", "NaN in epoch 3")
    assert tried["cost"]["processes"] == 1
    assert (answer["versions"], answer["champions"]) == ([], [])
    show_history(answer)
    assert views.describe_status(home)["pipelines"][0]["last_attempt"] == tried
    assert views.attempt_words(tried).endswith("failed: NaN in epoch 3")
    assert "failed" in capsys.readouterr().out
