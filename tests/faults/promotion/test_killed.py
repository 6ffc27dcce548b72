"""Promotions killed at random moments, and two at once: one champion, one alias, one version that is served.

`make test` runs a few rounds, `make faults` EVERGREEN_PROMOTION_ROUNDS kills and a quarter as many races,
from the seed EVERGREEN_FAULT_SEED.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta

import pytest

from evergreen.stack import prefect_settings
from pipelines.cards.publish import card_page
from pipelines.clock import now
from pipelines.environment import child_environment
from pipelines.home import Home
from pipelines.ledger import Ledger
from pipelines.ledger.audit import export, find_fault
from pipelines.promotion.transaction import promote
from pipelines.records import Approval, Promotion
from pipelines.registry.mlflow_store import connect
from pipelines.serving import client
from tests.faults.promotion.promoting import seconds_of, start
from tests.pipelines.promotion.versions import (
    NAME,
    add_version,
    aliases,
    plan,
    running_service,
    serving,
    told,
)

ROUNDS = int(os.environ.get("EVERGREEN_PROMOTION_ROUNDS", "200"))
SEED = os.environ.get("EVERGREEN_FAULT_SEED", "5")


class Shop:
    """A home whose champion is challenged again and again; every fourth version answers wrongly."""

    def __init__(self, home: Home, url: str) -> None:
        self.home, self.url, self.versions = home, url, 0
        self.ledger = Ledger.open(home)
        self.liars: set[int] = set()

    @property
    def champion(self) -> int | None:
        found = self.ledger.champion(NAME)
        return found.version if found else None

    def add(self, lies: bool = False) -> int:
        self.versions += 1
        add_version(self.home, self.versions, answers=-1.0 if lies else None)
        self.liars |= {self.versions} if lies else set()
        return self.versions

    def state(self, version: int) -> str:
        """How far a killed promotion had come."""
        row = next((p for p in self.ledger.promotions(NAME) if p.version == version), None)
        if row is None or row.state != "begun":
            return row.state if row else "not begun"
        if aliases(self.home).get("champion") != version:
            return "begun"
        return "served" if serving(self.home) == version else "alias moved"

    def settle(self, dice: random.Random, seconds: float) -> None:
        """What maintenance does; at times it is killed, too, and comes again."""
        if dice.random() < 0.3:
            first = start(self.home, self.url, "settle")
            first.go()
            time.sleep(dice.uniform(0, seconds))
            first.kill()
        last = start(self.home, self.url, "settle")
        last.go()
        assert last.ending() is None

    def check(self) -> None:
        """One of each, all the same, and a log without a fault."""
        champion = self.champion
        assert champion not in self.liars
        assert [p for p in self.ledger.promotions(NAME) if p.state == "begun"] == []
        assert (aliases(self.home).get("champion"), serving(self.home)) == (champion, champion)
        assert champion is not None
        client.wait_until_serving(self.url, NAME, champion, 10)
        assert client.health(self.url)["wanted"] == {NAME: champion}
        assert find_fault(export(self.ledger.audit_log(NAME)).splitlines()) is None


@pytest.fixture
def shop(home: Home) -> Iterator[Shop]:
    with running_service(home) as url:
        yield Shop(home, url)


def kill_promotions(shop: Shop, rounds: int) -> Counter[str]:
    """Promotions that are killed at random moments; how far they had come."""
    dice = random.Random(f"kill-{SEED}")  # noqa: S311
    seconds = seconds_of(start(shop.home, shop.url, "train", shop.add(), None))
    reached: Counter[str] = Counter()
    for number in range(rounds):
        before, version = shop.champion, shop.add(lies=number % 4 == 3)
        worker = start(shop.home, shop.url, dice.choice(("train", "deploy")), version, before)
        worker.go()
        time.sleep(dice.uniform(0, 1.2 * seconds))  # the fault is the moment
        worker.kill()
        reached[shop.state(version)] += 1
        shop.settle(dice, seconds)
        assert shop.champion in (before, version)
        shop.check()
    return reached


def race_promotions(shop: Shop, rounds: int) -> Counter[str]:
    """Two promotions against one champion in the same moment; in every third round one of them is killed."""
    dice = random.Random(f"race-{SEED}")  # noqa: S311
    seconds = seconds_of(start(shop.home, shop.url, "train", shop.add(), None))
    endings: Counter[str] = Counter()
    for number in range(rounds):
        before, pair = shop.champion, [shop.add(), shop.add()]
        racers = [start(shop.home, shop.url, "train", version, before) for version in pair]
        for racer in racers:
            racer.go()
        if number % 3 == 2:
            time.sleep(dice.uniform(0, seconds))
            racers.pop(dice.randrange(2)).kill()
        told = [racer.ending() for racer in racers]
        assert not [words for words in told if isinstance(words, str)], told
        won = [one.version for one in told if isinstance(one, Promotion)]
        endings[f"{len(won)} of {len(told)} went through"] += 1
        shop.settle(dice, seconds)
        assert shop.champion in pair
        assert len(won) <= 1
        assert won in ([], [shop.champion])
        shop.check()
    return endings


def test_a_few_promotions_are_killed(shop: Shop) -> None:
    kill_promotions(shop, 4)


def test_a_few_promotions_race(shop: Shop) -> None:
    race_promotions(shop, 3)


@pytest.mark.faults
@pytest.mark.timeout(1800)
def test_many_promotions_are_killed(shop: Shop) -> None:
    started = time.monotonic()
    reached = kill_promotions(shop, ROUNDS)
    print(f"{ROUNDS} kills, seed {SEED}: {time.monotonic() - started:.0f} s, {dict(reached)}")  # noqa: T201


@pytest.mark.faults
@pytest.mark.timeout(1800)
def test_many_promotions_race(shop: Shop) -> None:
    started = time.monotonic()
    endings = race_promotions(shop, ROUNDS // 4)
    print(f"{ROUNDS // 4} races, seed {SEED}: {time.monotonic() - started:.0f} s, {dict(endings)}")  # noqa: T201


MAINTAIN = """
from prefect.artifacts import Artifact

from flows.approval import approval
from flows.maintenance import maintenance

print(maintenance(return_state=True).type.value, Artifact.get("trips-approval").data)
approval("trips-4", "reject", "Ada", "a guess")
print(Artifact.get("trips-approval").data)
"""


@pytest.mark.faults
def test_the_maintenance_flow_finishes_what_was_killed(shop: Shop) -> None:
    """Also what nobody decided on, and where a prediction log is damaged, which fails the run in the end.

    Prefect's page, the cards and the alias `challenger` say what is.
    """
    promote(shop.home, plan(shop.add(), None))
    shop.ledger.promote(plan(shop.add(), 1))  # and no further
    for days in (-1, 1):
        version, until = shop.add(), now() + timedelta(days=days)
        words = {"attempt": f"{NAME}-{version}", "pipeline": NAME, "requested": now(), "expires": until}
        waits = told(version).model_copy(update={"status": "awaiting_approval"})
        shop.ledger.ask_approval(Approval(**words, promotion=plan(version, 2)), waits)
    connect(shop.home).set_registered_model_alias(NAME, "challenger", "3")
    log = shop.home.pipeline(NAME).predictions / "_delta_log" / f"{0:020}.json"
    log.parent.mkdir(parents=True)
    log.write_text("no JSON")
    settings = {**prefect_settings(shop.home), "EVERGREEN_SERVING_URL": shop.url}
    command = [sys.executable, "-c", MAINTAIN]
    done = subprocess.run(
        command, env=child_environment(settings), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("FAILED ")
    after, decided = done.stdout.split("Version 3 was expired on")[0], done.stdout.rpartition("Version ")[2]
    assert "evergreen approve trips-4" in after
    assert "evergreen approve trips-3" not in after
    assert decided.startswith("4 was rejected by Ada")
    assert "challenger" not in aliases(shop.home)
    cards = [card_page(shop.home, NAME, n).with_suffix(".md").read_text() for n in (1, 2, 3, 4)]
    said = ("confirmed", "confirmed", "asked: expired", "asked: rejected by Ada: a guess")
    assert [words for words, card in zip(said, cards, strict=True) if words not in card] == []
    shop.check()
    assert shop.champion == 2
