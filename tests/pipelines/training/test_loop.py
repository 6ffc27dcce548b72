"""The loop: resumed to the same bits, stopped early with the best weights, cut in pieces, ended at a NaN."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from pipelines.config import Model, Training
from pipelines.errors import EvergreenError
from pipelines.models.bundle import Description
from pipelines.training.checkpoints import Checkpoints, remove_checkpoints
from pipelines.training.folder import AttemptFolder
from pipelines.training.job import FitJob
from pipelines.training.loop import Loop, train_here
from tests.pipelines.training.fitted import told_by, weights_of


def job_of(
    place: Path, kind: str = "mlp", stage: str = "first", epochs: Any = None, **training: Any
) -> FitJob:
    """A small classification on seeded numbers and a code, by dropout as well."""
    rng = np.random.default_rng(3)
    x = np.c_[rng.normal(size=(400, 3)), rng.integers(0, 4, 400)].astype("float32")
    y = (x[:, 0] + x[:, 1] * x[:, 2] > 0).astype("int64")
    parts = {"x": x[:300], "y": y[:300], "weight": rng.uniform(0.5, 1.5, 300).astype("float32")}
    (place / "arrays").mkdir(parents=True)
    for name, array in (parts | {"x_validation": x[300:], "y_validation": y[300:]}).items():
        np.save(place / "arrays" / f"{name}.npy", array)
    description = Description(
        kind=kind,
        task="binary",
        target="y",
        timestamp=None,
        types={},
        classes=["no", "yes"],
        bins=[[-2.0, 0.0, 2.0]] * 3,
        cardinalities=[4],
        model=Model(kind=kind, width=16, members=2),
    )
    return FitJob(
        name=place.name,
        root=place,
        arrays=place / "arrays",
        place=place,
        description=description,
        metric="auc",
        stage=stage,  # type: ignore[arg-type]  # pydantic checks it
        epochs=epochs,
        training=Training(**{"epochs": 4, "batch_size": 50, **training}),
    )


@pytest.mark.parametrize("kind", ["mlp", "tabm"])
def test_a_training_that_is_resumed_ends_at_the_same_bits(tmp_path: Path, kind: str) -> None:
    whole, broken = job_of(tmp_path / "whole", kind), job_of(tmp_path / "broken", kind)
    train_here(whole)
    loop = Loop(broken)
    for _ in zip(range(2), loop.epochs(), strict=False):
        Checkpoints(broken).save(loop.state())
    assert loop.epoch == 2
    train_here(broken)
    expected, found = weights_of(whole), weights_of(broken)
    assert all(torch.equal(found[name], value) for name, value in expected.items())
    assert [row["loss"] for row in told_by(broken)] == [row["loss"] for row in told_by(whole)]


def test_checkpoints_go_to_any_address(tmp_path: Path) -> None:
    job = job_of(tmp_path / "job", checkpoints="memory://kept")
    train_here(job)
    state = Checkpoints(job).load("cpu")
    assert state is not None
    assert state["numbers"]["epoch"] == 4
    assert not (job.place / "checkpoint").exists()
    remove_checkpoints(job.model_copy(update={"name": "another"}))
    assert Checkpoints(job).load("cpu") is not None
    remove_checkpoints(job)
    assert Checkpoints(job).load("cpu") is None


def test_it_stops_early_and_keeps_the_best_weights(tmp_path: Path) -> None:
    job = job_of(tmp_path / "job", epochs=None, learning_rate=0.3, patience=2, schedule="constant")
    job = job.model_copy(update={"training": job.training.model_copy(update={"epochs": 60})})
    train_here(job)
    rows, best = told_by(job), json.loads((job.place / "best.json").read_text())
    assert len(rows) == best["epochs"] == best["best_epoch"] + 2 < 60
    assert best["validation_loss"] == pytest.approx(min(row["validation"] for row in rows), abs=1e-6)
    loop = Loop(job)
    loop.network.load_state_dict(weights_of(job))
    assert float(loop.validate()[0].mean()) == pytest.approx(best["validation_loss"], rel=1e-5)


def test_a_refit_runs_its_epochs_without_validation(tmp_path: Path) -> None:
    job = job_of(tmp_path / "job", stage="refit", epochs=3)
    train_here(job)
    rows = told_by(job)
    assert [(row["model"], row["epoch"], row["epochs"]) for row in rows] == [
        ("mlp refit", n, 3) for n in (1, 2, 3)
    ]
    assert "validation" not in rows[0]


def test_a_batch_in_pieces_learns_the_same(tmp_path: Path) -> None:
    jobs = [job_of(tmp_path / str(pieces), accumulate=pieces) for pieces in (1, 4)]
    jobs = [
        job.model_copy(
            update={
                "description": job.description.model_copy(
                    update={"model": Model(kind="mlp", width=16, dropout=0.0)}
                )
            }
        )
        for job in jobs
    ]
    for job in jobs:
        train_here(job)
    whole, pieces = map(weights_of, jobs)
    for name, value in whole.items():
        torch.testing.assert_close(pieces[name], value, rtol=1e-3, atol=1e-4)


def test_a_loss_that_is_no_number_names_epoch_and_batch(tmp_path: Path) -> None:
    job = job_of(tmp_path / "job")
    x = np.load(job.arrays / "x.npy")
    x[7, 0] = np.nan
    np.save(job.arrays / "x.npy", x)
    loop = Loop(job)
    number = int((loop.rows.shuffle(job.training.seed, 1) == 7).nonzero()[0]) // 50 + 1
    with pytest.raises(EvergreenError, match=f"epoch 1, batch {number} of 6"):
        loop.train_epoch()


def test_epochs_are_told_with_what_people_look_at(tmp_path: Path) -> None:
    job = job_of(tmp_path / "job", precision="bf16", warmup=0.2)
    train_here(job)
    train_here(job.model_copy(update={"stage": "tuned", "place": tmp_path / "tuned"}))
    rows = AttemptFolder(job.root).read_epochs()
    assert [row["model"] for row in rows] == ["mlp"] * 4 + ["mlp tuned"] * 4
    rows = rows[:4]
    assert [row["epoch"] for row in rows] == [1, 2, 3, 4]
    assert rows[-1]["loss"] < rows[0]["loss"]
    assert rows[-1]["left"] == 0
    keys = {"model", "validation", "metric", "score", "seconds", "samples_per_second", "time", "device"}
    assert keys <= rows[0].keys()
    assert (job.root / "beat").exists()
