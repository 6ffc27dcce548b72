"""Processes of a training are killed at random moments: one finished attempt, the same model.

`make faults` runs as many rounds as EVERGREEN_FAULT_ROUNDS says, from the seed EVERGREEN_FAULT_SEED.
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipelines.home import Home
from pipelines.records import TrainedModel
from tests.faults.training.cluster import Cluster, kill_processes
from tests.faults.training.killing import EPOCHS, Training, same_model

ROUNDS = int(os.environ.get("EVERGREEN_FAULT_ROUNDS", "50"))
SEED = int(os.environ.get("EVERGREEN_FAULT_SEED", "4"))
VICTIMS = ("worker", "driver", "controller", "flow", "node", "head", "all")


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    found = Cluster(Home(tmp_path_factory.mktemp("cluster")))
    found.up()
    try:
        yield found
    finally:
        found.down()


@pytest.fixture(scope="module")
def undisturbed(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> TrainedModel:
    training = Training(tmp_path_factory.mktemp("undisturbed"), cluster.settings, workers=1)
    training.call()
    ending = training.ending()
    assert ending.result is not None, ending.said
    print(f"undisturbed: {time.monotonic() - training.started:.1f} s, {ending.result.parts}")  # noqa: T201
    return ending.result


@pytest.mark.faults
@pytest.mark.timeout(240)
@pytest.mark.parametrize("number", range(ROUNDS))
def test_killed_at_a_random_moment_it_ends_as_if_nothing_had_been(
    number: int, cluster: Cluster, undisturbed: TrainedModel, tmp_path: Path
) -> None:
    dice = random.Random(f"{SEED}-{number}")  # noqa: S311
    victim, moment = VICTIMS[number % len(VICTIMS)], dice.uniform(0.05, 1.0) * undisturbed.seconds
    if victim == "node":
        cluster.add_node(cpus=2)
    training = Training(tmp_path, cluster.settings, workers=1)
    training.call()
    time.sleep(moment)  # the fault is the moment
    before = len(training.told())
    kill(victim, training, cluster)
    ending = training.ending()
    if ending.result is None and victim in ("flow", "head", "all"):
        if victim == "head":
            assert "StackError" in ending.said, ending.said
            assert "evergreen up" in ending.said
            cluster.up()
        training.call()
        ending = training.ending()
    took = time.monotonic() - training.started
    print(f"round {number}, seed {SEED}: {victim} at {moment:.1f} of {took:.1f} s, epoch {before}")  # noqa: T201
    assert ending.result is not None, ending.said
    told = training.told()
    assert sorted(set(told)) == list(range(1, EPOCHS + 1))
    assert len(told) <= EPOCHS + 2, told  # what the last checkpoint did not have yet
    assert same_model(ending.result, undisturbed)


def kill(victim: str, training: Training, cluster: Cluster) -> None:
    """SIGKILL, to all of a kind at once."""
    if victim == "head":
        for node in list(cluster.nodes):
            cluster.kill(node)
    elif victim == "node":
        cluster.kill(cluster.nodes[-1])
    else:
        pids = {
            "worker": training.pids("worker"),
            "driver": training.pids("driver"),
            "controller": cluster.find("ray::TrainController"),
            "flow": [training.caller.pid],
        }
        kill_processes([pid for name, found in pids.items() if victim in (name, "all") for pid in found])


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
    assert sorted(set(training.told())) == list(range(1, EPOCHS + 1))
    assert len(training.told()) <= EPOCHS + 1
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
    assert str(training.folder.log) in ending.said
