"""The loss of each row: ensembles, quantiles, and the same numbers as torch and the evaluation give."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.config import METRICS, Model, Training
from pipelines.evaluation.metrics import score_metric
from pipelines.models.bundle import Description
from pipelines.training.families import as_outputs
from pipelines.training.losses import pinball, row_losses
from pipelines.training.scores import predicted, score

NUMBERS = st.floats(-50, 50, width=32)


def describe(task: str, **model: Any) -> Description:
    return Description(
        kind="mlp",
        task=task,  # type: ignore[arg-type]  # pydantic checks it
        target="y",
        timestamp=None,
        types={},
        classes=[] if task == "regression" else ["a", "b"] + ["c"] * (task == "multiclass"),
        mean=5.0,
        scale=3.0,
        bins=[],
        cardinalities=[],
        model=Model(**model),
    )


def losses(outputs: torch.Tensor, target: torch.Tensor, task: str, loss: str = "auto", **model: Any) -> Any:
    return row_losses(outputs, target, describe(task, **model), Training(loss=loss), Path())


@pytest.mark.parametrize("loss", ["squared", "absolute", "huber", "cross_entropy", "focal"])
@given(data=st.data())
@settings(max_examples=20, deadline=None)
def test_an_ensemble_of_one_is_a_single_network_and_of_equals_the_same(loss: str, data: Any) -> None:
    regression = loss in ("squared", "absolute", "huber")
    width = 1 if regression else 3
    values = data.draw(st.lists(st.tuples(*[NUMBERS] * width), min_size=1, max_size=8))
    outputs = torch.tensor(values)
    target = torch.zeros(len(values), dtype=torch.float32 if regression else torch.int64)
    task = "regression" if regression else "multiclass"
    single = losses(outputs, target, task, loss)
    assert single.shape == (len(values),)
    assert (single >= 0).all()
    for members in (1, 3):
        ensemble = losses(outputs[:, None].repeat(1, members, 1), target, task, loss)
        torch.testing.assert_close(ensemble, single)


@given(st.lists(NUMBERS, min_size=1, max_size=20), st.floats(0.05, 0.95))
@settings(max_examples=30, deadline=None)
def test_no_constant_has_a_smaller_pinball_loss_than_the_quantile(values: list[float], level: float) -> None:
    target = torch.tensor(values)
    best = torch.tensor(np.quantile(values, level, method="inverted_cdf"), dtype=torch.float32)

    def mean(constant: torch.Tensor) -> float:
        return float(pinball(constant.expand(len(target), 1), target, [level]).mean())

    assert mean(best) <= min(mean(value) for value in target) + 1e-3


def test_quantiles_add_their_loss() -> None:
    outputs, target = torch.tensor([[1.0, 0.0, 2.0]]), torch.tensor([0.0])
    assert float(losses(outputs, target, "regression", quantiles=[0.1, 0.9])) == pytest.approx(1.0 + 0.2 / 2)


@pytest.mark.parametrize("loss", ["cross_entropy", "focal"])
@pytest.mark.parametrize("shape", [(3, 2), (3, 4, 2)])
def test_a_class_never_seen_is_a_certain_error_of_any_model(loss: str, shape: tuple[int, ...]) -> None:
    """As dear as the worst answer of an estimator, whose probabilities are clipped."""
    found = losses(torch.zeros(shape), torch.tensor([0, -1, 1]), "binary", loss)
    worst = losses(torch.tensor(as_outputs(np.array([[1.0, 0.0]]), True)), torch.tensor([1]), "binary", loss)
    assert float(found[1]) == pytest.approx(float(worst[0]), rel=1e-4)
    torch.testing.assert_close(found[[0, 2]], losses(torch.zeros(2, 2), torch.tensor([0, 1]), "binary", loss))


def test_a_focal_loss_cares_less_about_what_is_right() -> None:
    outputs, target = torch.tensor([[0.0, 0.0], [0.0, 4.0]]), torch.tensor([1, 1])
    share = losses(outputs, target, "binary", "focal") / losses(outputs, target, "binary")
    assert share[0] == pytest.approx(0.25)
    assert share[1] < 0.001


@pytest.mark.parametrize(
    ("task", "unseen"), [("regression", 0), ("binary", 0), ("multiclass", 0), ("multiclass", 1)]
)
def test_epochs_are_told_the_same_metric_that_the_evaluation_measures(task: str, unseen: int) -> None:
    """Also of three classes of which the training rows had two: the task says how a metric is made."""
    rng, description = np.random.default_rng(0), describe(task)
    classes = description.classes[: len(description.classes) - unseen]
    outputs = torch.tensor(rng.normal(size=(60, max(1, len(classes)))).round(1), dtype=torch.float32)
    codes = rng.integers(-unseen, len(classes), 60) if classes else rng.normal(size=60).astype("float32")
    found, target = predicted(outputs, description), torch.tensor(codes)
    if classes:
        frame = pd.DataFrame(found.double().numpy(), columns=[f"p_{name}" for name in classes])
        frame["prediction"] = [classes[i] for i in found.argmax(1)]
        truth: Any = pd.Series(["unseen" if i < 0 else classes[i] for i in codes])
    else:
        frame = pd.DataFrame({"prediction": found.double().numpy() * 3 + 5})
        truth = pd.Series(codes.astype("float64") * 3 + 5)
    for metric in METRICS[task]:  # type: ignore[index]  # a task's name
        expected = score_metric(task, metric, truth, frame)  # type: ignore[arg-type]
        assert score(metric, found, target, description) == pytest.approx(expected)
