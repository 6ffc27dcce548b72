"""Workers learn what one learns; what a cluster can never hold is refused at once."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from pipelines.config import Model, Training
from pipelines.environment import set_environment
from pipelines.errors import EvergreenError, TrainingFailed
from pipelines.models.bundle import Description
from pipelines.training.distributed import Resources, divide, plan_resources, train_on_workers
from pipelines.training.folder import AttemptFolder
from pipelines.training.job import FitJob
from pipelines.training.loop import train_here
from pipelines.training.team import Team, let_go, train_in_team
from tests.pipelines.training.fitted import told_by, weights_of

CPUS, GPUS = {"CPU": 4.0}, {"CPU": 16.0, "GPU": 2.0}


def job_of(place: Path, **training: Any) -> FitJob:
    """A small regression on seeded numbers."""
    x = np.random.default_rng(3).normal(size=(600, 4)).astype("float32")
    y = (x[:, 0] + x[:, 1] * x[:, 2]).astype("float32")
    (place / "arrays").mkdir(parents=True)
    parts = {"x": x[:500], "y": y[:500], "weight": np.ones(500, "float32")}
    for name, array in (parts | {"x_validation": x[500:], "y_validation": y[500:]}).items():
        np.save(place / "arrays" / f"{name}.npy", array)
    return FitJob(
        name=place.name,
        root=place,
        arrays=place / "arrays",
        place=place,
        description=Description(
            kind="mlp",
            task="regression",
            target="y",
            timestamp=None,
            types={},
            classes=[],
            bins=[[-2.0, 0.0, 2.0]] * 4,
            cardinalities=[],
            model=Model(kind="mlp", width=16, dropout=0.0),
        ),
        metric="rmse",
        training=Training(**{"epochs": 3, "batch_size": 100, **training}),
    )


# ---------------------------------------------------------------------------------------------- what there is


@pytest.mark.parametrize(
    ("nodes", "asked", "expected"),
    [
        ([CPUS], {}, Resources(1, 4)),
        ([CPUS], {"workers": 2}, Resources(2, 2)),
        ([CPUS, CPUS], {"workers": 1}, Resources(1, 4)),
        ([CPUS], {"workers": [1, 8]}, Resources((1, 8), 1)),
        ([GPUS, GPUS], {}, Resources(4, 8, 1.0)),
        ([GPUS], {"gpus": 0.5}, Resources(4, 4, 0.5)),
        ([GPUS], {"gpus": 0.4}, Resources(4, 4, 0.4)),  # two to a device, what is left of both holds none
        ([GPUS], {"gpus": 0, "workers": 3}, Resources(3, 5)),
    ],
)
def test_workers_get_what_the_nodes_have(
    nodes: list[dict[str, float]], asked: dict[str, Any], expected: Resources
) -> None:
    assert divide(nodes, Training(**asked)) == expected


@pytest.mark.parametrize(
    ("nodes", "asked", "words"),
    [
        ([CPUS], {"workers": 5}, "4 CPUs and 0 GPUs in all .nodes: 1., room for 4"),
        ([CPUS], {"workers": [6, 8]}, "6 asked for"),
        ([CPUS], {"workers": 1, "gpus": 1}, "room for 0"),
        ([GPUS, GPUS], {"workers": 1, "gpus": 4}, "room for 0"),
        ([GPUS], {"workers": 3, "gpus": 0.6}, "room for 2"),
    ],
)
def test_what_no_node_can_hold_is_refused_with_what_there_is(
    nodes: list[dict[str, float]], asked: dict[str, Any], words: str
) -> None:
    with pytest.raises(EvergreenError, match=words):
        divide(nodes, Training(**asked))


def test_without_a_cluster_the_driver_trains_by_itself() -> None:
    if not os.environ.get("RAY_ADDRESS"):
        assert plan_resources(Training()) == plan_resources(Training(workers=0)) == Resources(0)


# ------------------------------------------------------------------------------------------------ Ray Train


@pytest.fixture(scope="module")
def cluster() -> Iterator[None]:
    """A cluster of two CPUs for all tests here."""
    import ray

    set_environment({"RAY_TRAIN_HEALTH_CHECK_INTERVAL_S": "0.1", "RAY_CHDIR_TO_TRIAL_DIR": "0"})
    ray.init(num_cpus=2, include_dashboard=False)
    yield
    ray.shutdown()


@pytest.mark.faults
@pytest.mark.parametrize("strategy", ["ddp", "fsdp"])
@pytest.mark.parametrize("train", [train_in_team, train_on_workers])
def test_two_workers_learn_what_one_learns(
    cluster: None, tmp_path: Path, train: Callable[[FitJob, Resources], None], strategy: str
) -> None:
    alone, together = job_of(tmp_path / "alone"), job_of(tmp_path / strategy, strategy=strategy)
    train_here(alone)
    train(together, Resources(2, cpus=1))
    let_go()
    expected, found = weights_of(alone), weights_of(together)
    assert list(found) == list(expected)
    for name, value in expected.items():
        torch.testing.assert_close(found[name], value, rtol=1e-3, atol=1e-4)
    assert [row["loss"] for row in told_by(together)] == pytest.approx(
        [row["loss"] for row in told_by(alone)], rel=1e-4
    )


@pytest.mark.faults
@pytest.mark.parametrize(
    ("train", "workers"), [(train_in_team, 1), (train_in_team, 2), (train_on_workers, 2)]
)
def test_a_loss_that_is_no_number_ends_the_workers_at_once(
    cluster: None, tmp_path: Path, train: Callable[[FitJob, Resources], None], workers: int
) -> None:
    job = job_of(tmp_path / "diverging", learning_rate=1e30, clip=None, failures=3)
    with pytest.raises(EvergreenError, match=r"epoch 1, batch \d of 5"):
        train(job, Resources(workers, cpus=1))
    let_go()


@pytest.mark.faults
def test_the_one_worker_learns_bit_for_bit_what_this_process_learns(cluster: None, tmp_path: Path) -> None:
    here, there = job_of(tmp_path / "here"), job_of(tmp_path / "there")
    train_here(here)
    train_in_team(there, Resources(1, cpus=torch.get_num_threads()))
    let_go()
    expected, found = weights_of(here), weights_of(there)
    assert list(found) == list(expected)
    assert all(torch.equal(found[name], expected[name]) for name in expected)


def test_a_team_that_died_too_often_is_not_started_once_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[Team] = []

    def start(team: Team) -> None:
        started.append(team)

    monkeypatch.setattr(Team, "_start", start)
    monkeypatch.setattr(Team, "_try", lambda *_: RuntimeError("it is gone"))
    job = job_of(tmp_path / "dying", failures=1)
    with pytest.raises(TrainingFailed, match="failed more than 1 times: it is gone"):
        Team(Resources(2, cpus=1), AttemptFolder(job.root)).train(job)
    assert len(started) == 2


@pytest.mark.faults
def test_a_full_cluster_is_waited_for_with_signs_of_life(cluster: None, tmp_path: Path) -> None:
    import ray

    job = job_of(tmp_path / "later")
    beat = AttemptFolder(job.root).beat

    def hold() -> None:
        while not beat.exists():
            time.sleep(0.1)

    held = ray.remote(num_cpus=2)(hold).remote()
    time.sleep(1)
    train_in_team(job, Resources(2, cpus=1))
    let_go()
    ray.get(held)
    assert [row["epoch"] for row in told_by(job)] == [1, 2, 3]
