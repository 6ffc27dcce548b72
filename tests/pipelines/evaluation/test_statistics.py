"""Each metric is scikit-learn's, and each row's influence is the derivative along that row's weight."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as known
from sklearn.calibration import calibration_curve

from pipelines.config import MEASURED
from pipelines.evaluation.metrics import read_statistics

CLASSES = {"binary": ["no", "yes"], "multiclass": ["a", "b", "c"]}


def classes(task: str, seed: int, rows: int, digits: int) -> tuple[pd.Series, pd.DataFrame]:
    """Labels and probabilities rounded to `digits`, so that there are ties."""
    rng, names = np.random.default_rng(seed), np.array(CLASSES[task])
    shares = np.round(rng.dirichlet(np.ones(len(names)), rows), digits)
    shares[:, -1] = 1 - shares[:, :-1].sum(axis=1)
    target = names[(shares.cumsum(axis=1) < rng.random((rows, 1))).sum(axis=1).clip(max=len(names) - 1)]
    target[: len(names)] = names
    columns = {"prediction": names[shares.argmax(axis=1)]}
    return pd.Series(target), pd.DataFrame(columns | {f"p_{n}": shares[:, i] for i, n in enumerate(names)})


def values(seed: int, rows: int) -> tuple[pd.Series, pd.DataFrame]:
    rng = np.random.default_rng(seed)
    target = pd.Series(rng.gamma(3, 2, rows) + 0.5)
    return target, pd.DataFrame(
        {
            "prediction": target + rng.normal(size=rows),
            "q_0.1": target * rng.uniform(0.3, 1.1, rows),
            "q_0.9": target * rng.uniform(0.9, 2, rows),
        }
    )


# Of true labels or values, predictions and weights, as scikit-learn has it.
Known = Callable[[pd.Series, pd.DataFrame, Any], float]
BINARY: dict[str, Known] = {
    "auc": lambda y, p, w: known.roc_auc_score(y == "yes", p["p_yes"], sample_weight=w),
    "pr_auc": lambda y, p, w: known.average_precision_score(y == "yes", p["p_yes"], sample_weight=w),
    "log_loss": lambda y, p, w: known.log_loss(y, p[["p_no", "p_yes"]], sample_weight=w),
    "brier": lambda y, p, w: known.brier_score_loss(y == "yes", p["p_yes"], sample_weight=w),
    "accuracy": lambda y, p, w: known.accuracy_score(y, p["prediction"], sample_weight=w),
    "balanced_accuracy": lambda y, p, w: known.balanced_accuracy_score(y, p["prediction"], sample_weight=w),
    "f1": lambda y, p, w: known.f1_score(y, p["prediction"], pos_label="yes", sample_weight=w),
}
MULTICLASS: dict[str, Known] = {
    "auc": lambda y, p, w: known.roc_auc_score(
        y, p[["p_a", "p_b", "p_c"]], multi_class="ovr", sample_weight=w
    ),
    "log_loss": lambda y, p, w: known.log_loss(y, p[["p_a", "p_b", "p_c"]], sample_weight=w),
    "brier": lambda y, p, w: known.brier_score_loss(y, p[["p_a", "p_b", "p_c"]], sample_weight=w),
    "accuracy": BINARY["accuracy"],
    "balanced_accuracy": BINARY["balanced_accuracy"],
    "f1": lambda y, p, w: known.f1_score(y, p["prediction"], average="macro", sample_weight=w),
}
REGRESSION: dict[str, Known] = {
    "rmse": lambda y, p, w: known.root_mean_squared_error(y, p["prediction"], sample_weight=w),
    "mae": lambda y, p, w: known.mean_absolute_error(y, p["prediction"], sample_weight=w),
    "mape": lambda y, p, w: known.mean_absolute_percentage_error(y, p["prediction"], sample_weight=w),
    "r2": lambda y, p, w: known.r2_score(y, p["prediction"], sample_weight=w),
    "pinball": lambda y, p, w: np.mean(
        [known.mean_pinball_loss(y, p[f"q_{q}"], alpha=q, sample_weight=w) for q in (0.1, 0.9)]
    ),
    "coverage": lambda y, p, w: np.average((p["q_0.1"] <= y) & (y <= p["q_0.9"]), weights=w),
}


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.integers(8, 60), st.integers(1, 6))
def test_classes_are_measured_as_scikit_learn_does(seed: int, rows: int, digits: int) -> None:
    for task, scores in (("binary", BINARY), ("multiclass", MULTICLASS)):
        target, answers = classes(task, seed, rows, digits)
        found = read_statistics(task, target, answers)
        for name, score in scores.items():
            assert found[name].value == pytest.approx(score(target, answers, None), abs=1e-9), name


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.integers(2, 60))
def test_values_are_measured_as_scikit_learn_does(seed: int, rows: int) -> None:
    target, answers = values(seed, rows)
    found = read_statistics("regression", target, answers)
    for name, score in REGRESSION.items():
        assert found[name].value == pytest.approx(score(target, answers, None)), name


@pytest.mark.parametrize(
    ("scores", "made"),
    [
        (BINARY, classes("binary", 3, 60, 1)),
        (MULTICLASS, classes("multiclass", 3, 60, 2)),
        (REGRESSION, values(3, 40)),
    ],
)
def test_an_influence_is_the_derivative_along_a_row(
    scores: dict[str, Known], made: tuple[pd.Series, pd.DataFrame]
) -> None:
    target, answers = made
    task = "regression" if scores is REGRESSION else "binary" if scores is BINARY else "multiclass"
    found, rows = read_statistics(task, target, answers), len(target)
    for name, score in scores.items():
        influence = found[name].influence()
        assert abs(influence.mean()) < 1e-9, name
        for row in range(0, rows, 7):
            weights = np.ones(rows)
            weights[row] += 1e-5
            slope = (score(target, answers, weights) - score(target, answers, np.ones(rows))) / 1e-5
            assert influence[row] == pytest.approx(rows * slope, abs=1e-3 * (1 + abs(influence[row]))), name


def test_the_calibration_error_is_that_of_the_calibration_curve() -> None:
    target, answers = classes("binary", 1, 400, 8)
    true, said = calibration_curve(target == "yes", answers["p_yes"], n_bins=10, strategy="quantile")
    found = read_statistics("binary", target, answers)["ece"].value
    assert found == pytest.approx(np.abs(true - said).mean())  # as many rows in each bin


@pytest.mark.parametrize("bad", [0.0, -1.0, 1e-6])
def test_a_percentage_of_nothing_has_no_meaning(bad: float) -> None:
    target, answers = values(1, 20)
    target.iloc[3] = bad
    assert "mape" not in read_statistics("regression", target, answers)


def test_what_needs_quantiles_or_two_classes_is_left_out_without_them() -> None:
    target, answers = values(1, 20)
    assert not {"pinball", "coverage"} & read_statistics("regression", target, answers[["prediction"]]).keys()
    target, answers = classes("binary", 1, 20, 2)
    only = read_statistics("binary", pd.Series(["no"] * 20), answers)
    assert set(MEASURED["binary"]) - only.keys() == {"auc", "pr_auc"}
    assert all(np.isfinite(s.value) for s in only.values())
