"""Who was champion when, and why: written once, by whoever came first, however many try."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from threading import Barrier

import pytest
import sqlalchemy as sa

from pipelines.environment import child_environment
from pipelines.errors import PromotionConflict, UsageError
from pipelines.home import Home
from pipelines.ledger import Ledger, tables
from pipelines.ledger.engine import HEAD, form_of, open_engine
from pipelines.records import (
    Attempt,
    Cause,
    Cost,
    Promotion,
    ServedModel,
    Snapshot,
    TrainedModel,
    TrainOutcome,
)

TRIES = 20
MORNING = datetime(2026, 1, 1, 8)


def promotion(version: int, previous: int | None, hour: int = 0) -> Promotion:
    return Promotion(
        pipeline="trips",
        seq=0,
        version=version,
        previous=previous,
        attempt=f"trips-{version}",
        cause=None,
        why="it is better",
        since=MORNING.replace(hour=8 + hour),
    )


def attempt(name: str = "trips-1", cause: str | None = None) -> Attempt:
    snapshot = Snapshot(pipeline="trips", uri="rows", version=3, rows=10, fingerprint="f")
    return Attempt(id=name, pipeline="trips", snapshot=snapshot, folder="a", cause=cause)


def cause(name: str = "c1", created: datetime = MORNING) -> Cause:
    return Cause(id=name, pipeline="trips", kind="degraded", reason="worse", version=1, created=created)


@pytest.fixture
def ledger(home: Home) -> Ledger:
    return Ledger.open(home)


# ------------------------------------------------------------------------------------------------ champions


def test_champions_follow_each_other_without_a_gap(ledger: Ledger) -> None:
    assert ledger.champion("trips") is None
    assert ledger.champions("trips") == []
    for version, previous in ((1, None), (2, 1), (1, 2), (5, 1)):
        ledger.confirm(ledger.promote(promotion(version, previous, hour=len(ledger.champions("trips")))))
    found = ledger.champions("trips")
    assert [(p.seq, p.version, p.previous) for p in found] == [(1, 1, None), (2, 2, 1), (3, 1, 2), (4, 5, 1)]
    assert [p.until for p in found] == [*(p.since for p in found[1:]), None]
    assert ledger.champion("trips") == found[-1]
    assert ledger.champion("others") is None


def test_repeating_a_promotion_changes_nothing(ledger: Ledger) -> None:
    first = ledger.promote(promotion(1, None))
    assert ledger.promote(promotion(1, None, hour=3)) == first
    assert len(ledger.champions("trips")) == 1


@pytest.mark.parametrize("previous", [None, 2, 7])
def test_a_promotion_judged_against_another_champion_is_refused(ledger: Ledger, previous: int | None) -> None:
    ledger.confirm(ledger.promote(promotion(1, None)))
    with pytest.raises(PromotionConflict, match=f"judged against champion {previous}, now it is 1"):
        ledger.promote(promotion(3, previous))
    assert [p.version for p in ledger.champions("trips")] == [1]


def race(home: Home, wanted: list[Promotion]) -> list[Promotion | PromotionConflict]:
    """What each of several promoters, each with a connection of its own, gets in the same moment."""
    start = Barrier(len(wanted))

    def run(mine: Promotion) -> Promotion | PromotionConflict:
        ledger = Ledger.open(home)
        start.wait()
        try:
            return ledger.promote(mine)
        except PromotionConflict as conflict:
            return conflict

    with ThreadPoolExecutor(len(wanted)) as pool:
        return list(pool.map(run, wanted))


def test_of_two_racing_promotions_exactly_one_goes_through(home: Home, ledger: Ledger) -> None:
    previous = None
    for turn in range(TRIES):
        answers = race(home, [promotion(2 * turn + 1, previous), promotion(2 * turn + 2, previous)])
        won = [a for a in answers if isinstance(a, Promotion)]
        assert len(won) == 1, answers
        assert ledger.champion("trips") == won[0]
        previous = ledger.confirm(won[0]).version
    assert [p.seq for p in ledger.champions("trips")] == list(range(1, TRIES + 1))


def test_the_same_promotion_asked_for_twice_in_one_moment_goes_through_once(
    home: Home, ledger: Ledger
) -> None:
    previous = None
    for turn in range(1, TRIES + 1):
        first, second = race(home, [promotion(turn, previous)] * 2)
        assert isinstance(first, Promotion)
        assert first == second
        previous = ledger.confirm(first).version
    assert [p.version for p in ledger.champions("trips")] == list(range(1, TRIES + 1))


PROMOTE = """
import sys, time
from pathlib import Path
from pipelines.errors import PromotionConflict
from pipelines.home import Home
from pipelines.ledger import Ledger
from pipelines.records import Promotion
folder, me = Path(sys.argv[1]), sys.argv[2]
(folder / f"ready{me}").touch()
while not (folder / "go").exists():
    time.sleep(0.001)
ledger = Ledger.open(Home(folder / "home"))
mine = Promotion.model_validate_json(sys.argv[3])
try:
    ledger.promote(mine)
except PromotionConflict:
    sys.exit(9)
"""


def test_processes_that_open_and_promote_at_once(tmp_path: Path) -> None:
    """Each finds no database: it is made once, and one of them wins."""
    racers = [
        subprocess.Popen(
            [sys.executable, "-c", PROMOTE, str(tmp_path), str(i), promotion(i, None).model_dump_json()],
            stderr=subprocess.PIPE,
            text=True,
            env=child_environment(),
        )
        for i in range(1, 6)
    ]
    while len(list(tmp_path.glob("ready*"))) < len(racers):
        assert all(racer.poll() is None for racer in racers)
    (tmp_path / "go").touch()
    errors = [racer.communicate()[1] for racer in racers]
    assert sorted(racer.returncode for racer in racers) == [0, 9, 9, 9, 9], errors
    assert len(Ledger.open(Home(tmp_path / "home")).champions("trips")) == 1


def test_opening_again_leaves_everything_and_makes_the_tables_that_we_declare(
    home: Home, ledger: Ledger
) -> None:
    ledger.promote(promotion(1, None))
    again = open_engine(home.ledger)
    assert form_of(again) == HEAD
    assert Ledger(again).champion("trips") is not None
    inspector = sa.inspect(again)
    for name, declared in tables.metadata.tables.items():
        assert [c["name"] for c in inspector.get_columns(name)] == [c.name for c in declared.columns]
        assert inspector.get_pk_constraint(name)["constrained_columns"] == [
            c.name for c in declared.primary_key
        ]
    assert again.connect().scalar(sa.text("PRAGMA journal_mode")) == "wal"


# ------------------------------------------------------------------------------------ causes, attempts, names


def test_a_cause_is_stored_once_and_sent_once(ledger: Ledger) -> None:
    assert ledger.add_cause(cause(), window_end=MORNING)
    assert not ledger.add_cause(cause().model_copy(update={"reason": "other words"}), window_end=MORNING)
    assert ledger.cause("c1") == cause()
    assert ledger.cause("c2") is None
    assert ledger.causes("trips", unsent=True) == [cause()]
    ledger.mark_sent("c1")
    assert ledger.causes(unsent=True) == []
    assert ledger.causes() == [cause()]


def test_a_person_s_cause_waits_for_no_event(ledger: Ledger) -> None:
    ledger.add_cause(cause())
    assert ledger.causes(unsent=True) == []


def test_the_cool_down_counts_from_the_last_window_before(ledger: Ledger) -> None:
    for day in (3, 10):
        ledger.add_cause(cause(f"c{day}"), window_end=datetime(2026, 1, day))
    assert ledger.last_cause_end("trips", datetime(2026, 1, 20)) == datetime(2026, 1, 10)
    assert ledger.last_cause_end("trips", datetime(2026, 1, 10)) == datetime(2026, 1, 3)
    assert ledger.last_cause_end("trips", datetime(2026, 1, 3)) is None
    assert ledger.last_cause_end("others", datetime(2026, 1, 20)) is None


def test_an_attempt_is_one_however_often_it_starts(ledger: Ledger) -> None:
    ledger.start_attempt(attempt(cause="c1"), {}, {})
    ledger.start_attempt(attempt(cause="c2"), {}, {})
    assert [(row.id, row.cause) for row in ledger.attempts("trips")] == [("trips-1", "c1")]
    assert ledger.outcome("trips-1") is None
    outcome = TrainOutcome(status="rejected", pipeline="trips", attempt="trips-1", metrics={"rmse": 1.5})
    ledger.finish_attempt(outcome)
    ledger.start_attempt(attempt(), {}, {})
    assert ledger.outcome("trips-1") == outcome


def test_a_version_s_model_is_found_by_its_number(ledger: Ledger) -> None:
    trained = TrainedModel(attempt="trips-1", kind="mlp", folder="b", files={"model.json": "00"}, seconds=1.0)
    ledger.start_attempt(attempt(), {}, {})
    with pytest.raises(UsageError, match=r"no version 4 .versions: none"):
        ledger.trained("trips", 4)
    for _ in range(2):
        ledger.record_version("trips-1", trained, 4)
    assert ledger.trained("trips", 4) == trained
    ledger.finish_attempt(TrainOutcome(status="promoted", pipeline="trips", attempt="trips-1"))
    assert ledger.trained("trips", 4) == trained  # the outcome does not forget it
    with pytest.raises(UsageError, match="versions: 4"):
        ledger.trained("trips", 5)


def test_a_pipeline_is_known_by_its_newest_definition(ledger: Ledger, tmp_path: Path) -> None:
    for file in ("old.yaml", "new.yaml"):
        ledger.name_pipeline("trips", tmp_path / file)
    assert ledger.definition("trips") == tmp_path / "new.yaml"
    with pytest.raises(UsageError, match=r"'buses'.*known: trips"):
        ledger.definition("buses")


def test_what_is_served_is_the_last_that_was_said(ledger: Ledger) -> None:
    for version in (1, 2):
        ledger.serve(ServedModel(pipeline="trips", version=version, folder="m", files={}))
    assert [s.version for s in ledger.served()] == [2]


def test_an_attempt_s_definition_stays_until_it_fails_and_is_tried_again(ledger: Ledger) -> None:
    """What made the model is what is kept, whatever is installed when it is asked for again."""
    ledger.start_attempt(attempt(), {"pipeline": "trips"}, {"python": "3.11"})
    ledger.start_attempt(attempt(), {"pipeline": "trips"}, {"python": "3.12"})
    row = ledger.attempt("trips-1")
    assert row is not None
    assert (row.config, row.environment, row.cost) == ({"pipeline": "trips"}, {"python": "3.11"}, None)
    ledger.finish_attempt(
        TrainOutcome(status="failed", pipeline="trips", attempt="trips-1", reason="no room")
    )
    ledger.start_attempt(attempt(), {"pipeline": "trips"}, {"python": "3.12"})
    [row] = ledger.attempts("trips")
    assert (row.environment, row.outcome) == ({"python": "3.12"}, None)
    assert ledger.attempt("trips-2") is None


def test_an_attempt_s_cost_grows(ledger: Ledger) -> None:
    ledger.start_attempt(attempt(), {}, {})
    for seconds in (1.0, 3.0):
        ledger.record_cost("trips-1", Cost(cpu_seconds=seconds, processes=1))
    [row] = ledger.attempts("trips")
    assert row.cost is not None
    assert row.cost.cpu_seconds == 3


def test_a_ledger_of_before_has_its_attempts_and_its_champion(home_of_0002: Path) -> None:
    ledger = Ledger(open_engine(home_of_0002))
    [row] = ledger.attempts("trips")
    assert (row.id, row.config, row.cost, row.environment) == ("trips-1", {}, None, {})
    champion = ledger.champion("trips")
    assert champion is not None
    assert (champion.version, champion.state, champion.approved_by) == (7, "confirmed", None)
    assert (ledger.audit_log("trips"), ledger.approvals()) == ([], [])


@pytest.fixture
def home_of_0002(tmp_path: Path) -> Path:
    """A ledger as the second migration left it, with one attempt, which was promoted."""
    from alembic import command
    from alembic.config import Config

    path, config = tmp_path / "old.db", Config()
    config.set_main_option("script_location", str(Path(tables.__file__).parent / "migrations"))
    engine = sa.create_engine(f"sqlite:///{path}")
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0002")
        words = "INSERT INTO attempts (id, pipeline, started, attempt) VALUES ('trips-1', 'trips', :at, :it)"
        values = {"at": "2026-01-01 08:00:00.000000", "it": attempt().model_dump_json()}
        connection.execute(sa.text(words), values)
        words = (
            "INSERT INTO promotions (pipeline, seq, version, attempt, why, since)"
            " VALUES ('trips', 1, 7, 'trips-1', 'better', :at)"
        )
        connection.execute(sa.text(words), {"at": "2026-01-01 09:00:00.000000"})
    engine.dispose()
    return path
