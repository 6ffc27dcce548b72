"""Processes of a training are killed: one finished attempt, the same model.

`make faults` runs as many rounds as EVERGREEN_FAULT_ROUNDS says, from the seed EVERGREEN_FAULT_SEED. Half of
the rounds kill after an epoch that is drawn, a quarter before the first one, a quarter whenever it may be.
"""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from pipelines.home import Home
from pipelines.records import TrainedModel
from tests.faults.training.cluster import NODES, Cluster, kill_processes
from tests.faults.training.killing import EPOCHS, Training, same_model

ROUNDS = int(os.environ.get("EVERGREEN_FAULT_ROUNDS", "50"))
SEED = int(os.environ.get("EVERGREEN_FAULT_SEED", "4"))
RESERVED = 180  # seconds for which Ray keeps the room of a controller that died, in an elastic range
ELASTIC = (2, 2)  # a range of workers is Ray Train's, under its controller; a number of them is a team
Workers = int | tuple[int, int]
ALONE: list[tuple[Workers, str]] = [
    (1, victim) for victim in ("worker", "driver", "node", "flow", "head", "all")
]
TOGETHER: list[tuple[Workers, str]] = [
    (2, "worker"),
    (ELASTIC, "controller"),
    (2, "node"),
    (ELASTIC, "worker"),
    (2, "driver"),
    (2, "all"),
]
# Their number and that of the moments have no common divisor: each kill meets each moment.
KILLS = [*ALONE[:3], *TOGETHER[:2], *ALONE[3:], *TOGETHER[2:], *ALONE[:5]]
MOMENTS = ("inside", "before", "inside", "anywhere")
LAST_DRAWN = EPOCHS - 4  # a kill takes a moment, in which short epochs end


@dataclass(frozen=True)
class Undisturbed:
    """A training that nothing happened to: its model, and seconds until the first epoch and until the end."""

    model: TrainedModel
    first: float
    whole: float


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    found = Cluster(Home(tmp_path_factory.mktemp("cluster")))
    try:
        found.up()
        yield found
    finally:
        found.down()


@pytest.fixture(scope="module")
def undisturbed(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> dict[Workers, Undisturbed]:
    """By the number of workers, those that the rounds need."""
    found: dict[Workers, Undisturbed] = {}
    for workers in dict.fromkeys(workers for workers, _ in KILLS[:ROUNDS]):
        training = Training(tmp_path_factory.mktemp("undisturbed"), cluster.settings, workers=workers)
        training.call()
        first = training.wait_for_epoch(1)
        ending = training.ending()
        assert ending.result is not None, ending.said
        found[workers] = Undisturbed(ending.result, first, training.seconds)
        print(f"undisturbed, workers: {workers}: {training.seconds:.1f} s, {ending.result.parts}")  # noqa: T201
    return found


@pytest.mark.faults
@pytest.mark.timeout(240 + RESERVED)
@pytest.mark.parametrize("number", range(ROUNDS))
def test_killed_at_a_random_moment_it_ends_as_if_nothing_had_been(
    number: int, cluster: Cluster, undisturbed: dict[Workers, Undisturbed], tmp_path: Path
) -> None:
    dice = random.Random(f"{SEED}-{number}")  # noqa: S311
    workers, victim = KILLS[number % len(KILLS)]
    moment, plain = MOMENTS[number % len(MOMENTS)], undisturbed[workers]
    cluster.add_nodes(NODES + (victim == "node"))
    training = Training(tmp_path, cluster.settings, workers=workers)
    training.call()
    wait_for(moment, training, plain, dice)
    epoch = kill(victim, training, cluster)
    ending = training.ending()
    if ending.result is None and victim in ("flow", "head", "all"):
        if victim == "head":
            assert "StackError" in ending.said, ending.said
            assert "evergreen up" in ending.said
            cluster.up()
        training.call()
        ending = training.ending()
    print(  # noqa: T201
        f"round {number}, seed {SEED}: workers: {workers}, {victim} killed ({moment}) after epoch {epoch} of"
        f" {EPOCHS}, {len(training.told()) - EPOCHS} repeated, {training.seconds:.1f} s since the last call"
    )
    assert ending.result is not None, ending.said
    check_finished(training)
    assert same_model(ending.result, plain.model)


def wait_for(moment: str, training: Training, plain: Undisturbed, dice: random.Random) -> None:
    if moment == "inside":
        training.wait_for_epoch(dice.randrange(1, LAST_DRAWN + 1))
    else:
        training.wait_for(dice.uniform(0.05, 0.95) * (plain.first if moment == "before" else plain.whole))


def kill(victim: str, training: Training, cluster: Cluster) -> int:
    """SIGKILL, to all of a kind at once, as soon as there is one; the epoch that was told last before."""
    if victim == "head":
        epoch = len(training.told())
        cluster.kill([*cluster.head, *cluster.nodes])
        return epoch
    while not (pids := find(victim, training, cluster)) and training.caller.poll() is None:
        pass
    epoch = len(training.told())
    if victim == "node":
        cluster.kill(cluster.node_of(pids[-1]) if pids else [])
    else:
        kill_processes(pids)
    return epoch


def find(victim: str, training: Training, cluster: Cluster) -> list[int]:
    """The living processes of a kind; of `all` once there is a worker."""
    if victim in ("worker", "driver"):
        return training.pids(victim)
    if victim == "node":
        return training.pids("worker")
    if victim == "controller":
        return cluster.find("ray::TrainController")
    if victim == "flow":
        return [training.caller.pid]
    workers = training.pids("worker")
    rest = [training.caller.pid, *training.pids("driver"), *cluster.find("ray::TrainController")]
    return [*rest, *workers] if workers else []


def check_finished(training: Training) -> None:
    """One finished attempt, in which each epoch was told, and at most two of them twice."""
    assert training.outcomes() == {training.attempt.id: None}  # no failure; judged it is later
    assert [path.parent for path in training.folder.root.parent.glob("*/result.json")] == [
        training.folder.root
    ]
    told = training.told()
    assert sorted(set(told)) == list(range(1, EPOCHS + 1))
    assert max(told.count(epoch) for epoch in set(told)) <= 2, told
    assert len(told) <= EPOCHS + 2, told  # what the last checkpoint did not have yet


@pytest.mark.faults
@pytest.mark.parametrize(
    ("workers", "victim"), [(1, "worker"), (1, "driver"), (1, "node"), (2, "worker"), (ELASTIC, "controller")]
)
def test_a_budget_that_is_spent_is_one_failed_attempt(
    workers: Workers, victim: str, cluster: Cluster, tmp_path: Path
) -> None:
    cluster.add_nodes(NODES + (victim == "node"))
    training = Training(tmp_path, cluster.settings, workers=workers, failures=0, epochs=1000, patience=1000)
    training.call()
    training.wait_for_epoch(2)
    kill(victim, training, cluster)
    ending = training.ending()
    print(f"workers: {workers}, {victim} killed, no budget: {ending.said}")  # noqa: T201
    check_failed(training)


def check_failed(training: Training) -> None:
    """One failed attempt that says why, no result of any, and no version."""
    [(attempt, outcome)] = training.outcomes().items()
    assert outcome is not None
    assert (attempt, outcome.status, outcome.model) == (training.attempt.id, "failed", {})
    assert outcome.reason is not None
    assert "failed more than 0 times" in outcome.reason or "given up after 1 faults" in outcome.reason
    assert str(training.folder.log) in training.ending().said
    assert not list(training.folder.root.parent.glob("*/result.json"))


# ------------------------------------------------------------------------- without a cluster


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> TrainedModel:
    training = Training(tmp_path_factory.mktemp("alone"), workers=0)
    training.call()
    ending = training.ending()
    assert ending.result is not None, ending.said
    return ending.result


@pytest.mark.faults
def test_caller_and_driver_killed_at_once_it_goes_on(alone: TrainedModel, tmp_path: Path) -> None:
    training = Training(tmp_path, workers=0)
    training.call()
    training.wait_for_epoch(random.Random(SEED).randrange(1, EPOCHS // 2))  # noqa: S311
    kill_processes([training.caller.pid, *training.pids("driver")])
    assert training.ending().result is None
    training.call()
    ending = training.ending()
    assert ending.result is not None, ending.said
    check_finished(training)
    assert same_model(ending.result, alone)


def test_a_spent_budget_is_one_failed_attempt_with_a_reason(tmp_path: Path) -> None:
    """The sample of `make faults` that `make test` runs."""
    training = Training(tmp_path, workers=0, failures=0, epochs=10_000, patience=10_000)
    training.call()
    training.wait_for_epoch(1)
    kill_processes(training.pids("driver"))
    ending = training.ending()
    assert ending.result is None
    assert "TrainingFailed" in ending.said
    assert "given up after 1 faults, and 0 may be survived" in ending.said
    assert "the training process (driver) died" in ending.said
    check_failed(training)
