"""`model: auto` takes the simplest model that is as good as the best; quantiles and class weights hold."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skops.io

from pipelines.config import Model, Training
from pipelines.models.bundle import TRUSTED, Bundle, Description, load_bundle
from pipelines.scoring import log_rows, score_frame
from pipelines.training.choosing import candidates, choose
from pipelines.training.estimators import PATIENCE, most_rounds
from pipelines.training.folder import AttemptFolder
from pipelines.training.job import FitJob, Fitted

EASY = {"epochs": 12, "batch_size": 32, "refit": False}


def fitted(folder: Path, kind: str, losses: Any) -> Fitted:
    np.save(folder / f"{kind}.npy", losses)
    return Fitted(
        kind=kind,
        bundle=folder,
        validation_loss=float(np.mean(losses)),
        validation_losses=folder / f"{kind}.npy",
        epochs=None,
        seconds=1.0,
    )


NOISE = np.random.default_rng(0).normal(size=1000)
NOISE -= NOISE.mean()
BASE = 1 + 0.5 * np.random.default_rng(1).random(1000)


@pytest.mark.parametrize(
    ("losses", "taken"),
    [
        # The best is a little better, by less than chance gives: the simpler one stands.
        ({"linear": BASE, "tabm": BASE - 0.001 + 0.1 * NOISE}, "linear"),
        # By more than a hundredth, whatever chance may have given: few rows would excuse anything.
        ({"linear": BASE, "tabm": BASE - 0.05 + 2.0 * NOISE}, "tabm"),
        # By as little, but on nearly every row: that is no chance.
        ({"linear": BASE, "tabm": BASE - 0.001 + 0.001 * NOISE}, "tabm"),
        ({"linear": BASE + 0.2, "gradient_boosting": BASE, "tabm": BASE}, "gradient_boosting"),
        ({"linear": BASE + 0.2, "gradient_boosting": BASE + 0.1, "tabm": BASE}, "tabm"),
        # Which one was tried first does not matter.
        ({"tabm": BASE, "linear": BASE}, "linear"),
    ],
)
def test_the_simplest_that_is_as_good(tmp_path: Path, losses: dict[str, Any], taken: str) -> None:
    assert choose([fitted(tmp_path, kind, values) for kind, values in losses.items()]).kind == taken


def test_boosting_of_many_classes_is_cut_short_unless_it_was_asked_for(tmp_path: Path) -> None:
    np.save(tmp_path / "y.npy", np.zeros(10))
    rounds, tried = [], []
    for classes, asked in ((2, "auto"), (10, "auto"), (30, "auto"), (30, "gradient_boosting")):
        names = [str(number) for number in range(classes)]
        described = Description(
            kind="gradient_boosting",
            task="multiclass",
            target="y",
            timestamp=None,
            types={},
            classes=names,
            bins=[],
            cardinalities=[],
            model=Model(kind=asked),
        )
        place = {"root": tmp_path, "arrays": tmp_path, "place": tmp_path}
        job = FitJob(name="a", description=described, metric="accuracy", training=Training(), **place)
        rounds.append(most_rounds(described))
        tried.append(candidates(job))
    assert rounds == [1000, 300, 100, 1000]
    assert ["gradient_boosting" in kinds for kinds in tried[:3]] == [True, True, False]


def loaded(trained: Any) -> Bundle:
    return load_bundle(Path(trained.trained.folder), trained.trained.files)


def test_auto_tries_its_candidates_and_keeps_what_was_chosen(
    home: Any, define: Any, train: Any, table: Any
) -> None:
    config = define("binary", model={"kind": "auto", "shrinkage": 0.3}, training={**EASY, "refit": True})
    done = train(home, config, table(500))
    tried = AttemptFolder.of(done.attempt).candidates
    losses = {
        place.name: json.loads((place / "fitted.json").read_text())["validation_loss"]
        for place in tried.iterdir()
    }
    assert set(losses) == {"linear", "gradient_boosting", "tabm"}
    assert done.trained.kind in losses
    answers = loaded(done).predict(table(300, seed=5))
    assert (answers["prediction"] == table(300, seed=5)["late"]).mean() > 0.85


def test_a_refit_boosts_each_quantile_as_often_as_was_best_for_it(
    home: Any, define: Any, train: Any, table: Any
) -> None:
    model = {"kind": "gradient_boosting", "quantiles": [0.1, 0.9], "shrinkage": 0.3}
    done = train(home, define(model=model), table(400))
    folder = AttemptFolder.of(done.attempt)
    first = json.loads((folder.candidates / "gradient_boosting" / "fitted.json").read_text())
    places = [folder.candidates / "gradient_boosting", folder.root / "refit"]
    files = [place / "bundle" / "estimator.skops" for place in places]
    watched, again = (skops.io.load(file, trusted=TRUSTED) for file in files)
    # The round before which nothing was better for as long as the patience is.
    best = [model.n_iter_ - PATIENCE for model in watched]
    assert first["rounds"] == [model.n_iter_ for model in again] == best
    assert len(set(best)) > 1


@pytest.mark.parametrize("kind", ["gradient_boosting", "tabm"])
def test_quantiles_hold_their_share_of_the_rows(
    home: Any, define: Any, train: Any, table: Any, kind: str
) -> None:
    model = {"kind": kind, "quantiles": [0.1, 0.9], "width": 32, "shrinkage": 0.3}
    done = train(home, define(model=model, training={**EASY, "epochs": 30}), table(800))
    rows = table(800, seed=3)
    answers = loaded(done).predict(rows)
    assert list(answers) == ["prediction", "q_0.1", "q_0.9"]
    assert (answers["q_0.1"] <= answers["q_0.9"]).all()
    inside = rows["y"].between(answers["q_0.1"], answers["q_0.9"]).mean()
    assert 0.6 < inside < 0.95
    scores = score_frame(loaded(done), rows, [str(i) for i in range(800)])
    assert list(scores) == ["prediction_id", "prediction", "q_0.1", "q_0.9"]
    logged = log_rows(loaded(done), rows, scores, 1, "batch", datetime(2026, 1, 1))
    assert logged["_q_0.9"].tolist() == answers["q_0.9"].tolist()


def test_a_class_that_counts_more_is_said_more_often(home: Any, define: Any, train: Any, table: Any) -> None:
    rows = table(600)
    said = []
    for weights in (None, {"yes": 20.0}):
        config = define("binary", model={"kind": "linear"}, training={**EASY, "class_weights": weights})
        said.append((loaded(train(home, config, rows)).predict(rows)["prediction"] == "yes").sum())
    assert said[1] > said[0]
