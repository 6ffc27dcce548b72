"""Our metrics are scikit-learn's, and say something where it gives up."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from sklearn import metrics as known

from pipelines.config import MEASURED
from pipelines.evaluation.metrics import higher_is_better, score_all, score_metric

RNG = np.random.default_rng(4)


def classes(names: list[str], rows: int = 200) -> tuple[pd.Series, pd.DataFrame]:
    shares = RNG.dirichlet(np.ones(len(names)), rows)
    target = pd.Series([names[RNG.choice(len(names), p=p)] for p in shares])
    answers = pd.DataFrame({"prediction": [names[i] for i in shares.argmax(axis=1)]})
    return target, answers.assign(**{f"p_{name}": shares[:, i] for i, name in enumerate(names)})


def test_known_by_hand() -> None:
    answers = pd.DataFrame({"prediction": ["yes", "yes"], "p_no": [0.2, 0.4], "p_yes": [0.8, 0.6]})
    target = pd.Series(["yes", "no"])
    assert score_all("binary", target, answers) == pytest.approx(
        {
            "auc": 1.0,
            "pr_auc": 1.0,
            "accuracy": 0.5,
            "balanced_accuracy": 0.5,
            "log_loss": -(math.log(0.8) + math.log(0.4)) / 2,
            "brier": (0.2**2 + 0.6**2) / 2,
            "ece": (0.2 + 0.6) / 2,
            "f1": 2 / 3,
        }
    )


def test_a_class_that_the_model_never_saw_costs_dearly_and_raises_nothing() -> None:
    target, answers = classes(["a", "b"])
    before = score_all("multiclass", target, answers)
    target.iloc[0] = "new"
    after = score_all("multiclass", target, answers)
    assert all(map(math.isfinite, after.values()))
    assert after["log_loss"] > before["log_loss"]
    assert (
        score_metric(
            "multiclass",
            "log_loss",
            pd.Series(["a"]),
            pd.DataFrame({"prediction": ["b"], "p_a": [0.0], "p_b": [1.0]}),
        )
        > 30
    )


@pytest.mark.parametrize("seed", range(5))
def test_ties_and_absent_classes(seed: int) -> None:
    """Few rows, coarse probabilities: what a resample may look like."""
    rng = np.random.default_rng(seed)
    target = pd.Series(rng.choice(["no", "yes"], 12, p=[0.8, 0.2]))
    target.iloc[:2] = ["no", "yes"]
    p = rng.choice([0.2, 0.4, 0.6], 12)
    answers = pd.DataFrame({"prediction": np.where(p > 0.5, "yes", "no"), "p_no": 1 - p, "p_yes": p})
    found = score_all("binary", target, answers)
    assert found["auc"] == pytest.approx(known.roc_auc_score(target == "yes", p))
    assert found["f1"] == pytest.approx(
        known.f1_score(target, answers["prediction"], pos_label="yes", zero_division=0)
    )


@pytest.mark.parametrize("answer", [3.0, 4.0])
def test_r2_where_all_is_one_value(answer: float) -> None:
    target, answers = pd.Series([3.0] * 5), pd.DataFrame({"prediction": [answer] * 5})
    assert score_metric("regression", "r2", target, answers) == known.r2_score(target, answers["prediction"])


def test_auc_of_one_class_is_no_number() -> None:
    _, answers = classes(["no", "yes"], 5)
    assert math.isnan(score_metric("binary", "auc", pd.Series(["no"] * 5), answers))


def test_a_rare_class_that_a_model_never_saw_changes_no_formula() -> None:
    """Of two multiclass models that say the same the one knows a third class, and gives it no chance."""
    target, two = classes(["a", "b"], 40)
    three = two.assign(p_c=0.0)
    assert score_all("multiclass", target, two) == pytest.approx(score_all("multiclass", target, three))


def test_better_is_higher_but_for_losses() -> None:
    everything = {metric for names in MEASURED.values() for metric in names}
    losses = {m for m in everything if not higher_is_better(m)}
    assert losses == {"rmse", "mae", "mape", "pinball", "log_loss", "brier", "ece"}


def test_what_has_no_finite_value_is_left_out() -> None:
    target, answers = pd.Series([1.0, 2.0]), pd.DataFrame({"prediction": [1.0, math.nan]})
    assert score_all("regression", target, answers) == {}
    assert math.isnan(score_metric("regression", "rmse", target, answers))
