"""Measured on the same rows, with the same resamples, so that a difference is one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from pipelines import partition
from pipelines.data.storage import snapshots
from pipelines.evaluation.evaluate import (
    Paired,
    compare_with_champion,
    evaluate_model,
    predict_test,
    smoke_test,
    trivial_predictions,
)
from pipelines.evaluation.metrics import score_metric
from pipelines.gates import judge
from pipelines.home import Home
from pipelines.models.bundle import load_bundle
from pipelines.partition import partition_snapshot
from pipelines.records import Champion
from pipelines.splitting import split_rows

BOOSTING = {"kind": "gradient_boosting"}


def values(seed: int, noise: float, target: pd.Series) -> pd.DataFrame:
    return pd.DataFrame({"prediction": target + np.random.default_rng(seed).normal(0, noise, len(target))})


@pytest.fixture(scope="module")
def target() -> pd.Series:
    return pd.Series(np.random.default_rng(0).normal(size=150))


@pytest.mark.parametrize("metric", ["rmse", "mae", "r2"])
def test_an_interval_holds_its_value(metric: str, target: pd.Series) -> None:
    answers = values(1, 0.5, target)
    interval = Paired(metric, target).interval(answers)
    assert interval.value == score_metric(metric, target, answers)
    assert interval.low < interval.value < interval.high
    assert Paired(metric, target).interval(answers) == interval  # seeded


@pytest.mark.parametrize("metric", ["rmse", "r2"])
def test_better_is_above_0_whatever_the_metric(metric: str, target: pd.Series) -> None:
    good, bad, compare = values(1, 0.2, target), values(2, 1.0, target), Paired(metric, target)
    difference = compare.difference(good, bad)
    assert 0 < difference.low < difference.value < difference.high
    assert compare.difference(good, good).model_dump() == {"value": 0.0, "low": 0.0, "high": 0.0}
    back = compare.difference(bad, good)
    assert (back.value, back.low, back.high) == pytest.approx(
        (-difference.value, -difference.high, -difference.low)
    )


def test_pairing_is_sharper_than_two_intervals(target: pd.Series) -> None:
    """A model and the same a little worse: the intervals overlap, the difference is plain."""
    first = values(1, 1.0, target)
    second = pd.DataFrame({"prediction": target + 1.1 * (first["prediction"] - target)})
    compare = Paired("rmse", target)
    assert compare.interval(first).high > compare.interval(second).low
    assert compare.difference(first, second).low > 0


def test_a_95_percent_interval_holds_the_truth_about_that_often() -> None:
    """80 samples of known noise: RMSE is 1. A percentile bootstrap's coverage at n=60 is just under 0.95."""
    rng, held = np.random.default_rng(3), 0
    for _ in range(80):
        sample = pd.Series(np.zeros(60))
        interval = Paired("rmse", sample, draws=60).interval(
            pd.DataFrame({"prediction": rng.normal(size=60)})
        )
        held += interval.low <= 1.0 <= interval.high
    assert 0.86 <= held / 80 <= 0.99


# ------------------------------------------------------------------------------------ a trained model


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory, train: Any, define: Any, table: Any) -> Any:
    return train(Home(tmp_path_factory.mktemp("home")), define(model=BOOSTING), table(600))


def test_a_first_model_has_a_baseline_and_no_champion(done: Any) -> None:
    evaluation = evaluate_model(done.config, done.attempt, done.trained)
    assert (evaluation.rows, evaluation.baseline, evaluation.comparison) == (120, "training mean", None)
    assert evaluation.smoke_failure is None
    assert evaluation.metrics["rmse"] == evaluation.interval.value < 0.5 * evaluation.baseline_metrics["rmse"]
    difference = evaluation.baseline_metrics["rmse"] - evaluation.metrics["rmse"]
    assert evaluation.baseline_difference.value == pytest.approx(difference)
    assert {v.name: v.verdict for v in judge(evaluation, done.config.gates)} == {
        "smoke": "pass",
        "baseline": "pass",
    }


def test_predictions_in_pieces_are_those_of_the_whole(done: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    bundle = load_bundle(Path(done.trained.folder), done.trained.files)
    whole = predict_test(bundle, partition_snapshot(done.attempt.snapshot, done.config))
    monkeypatch.setattr(partition, "LARGE", 1)
    monkeypatch.setattr(snapshots, "PIECE", 50)
    rows = partition_snapshot(done.attempt.snapshot, done.config)
    assert len(list(rows.pieces("test"))) > 1
    found = predict_test(bundle, rows)
    pd.testing.assert_frame_equal(found.reset_index(drop=True), whole.reset_index(drop=True))


def test_a_model_against_itself_is_no_worse(done: Any) -> None:
    champion = Champion(pipeline="trips", version=3, folder=done.trained.folder, files=done.trained.files)
    evaluation = evaluate_model(done.config, done.attempt, done.trained, champion)
    assert evaluation.comparison is not None
    assert evaluation.comparison.champion_version == 3
    assert evaluation.comparison.champion_metrics == evaluation.metrics
    assert evaluation.comparison.difference.model_dump() == {"value": 0.0, "low": 0.0, "high": 0.0}
    gates = done.config.gates.model_copy(update={"champion_margin": 0.0})
    assert judge(evaluation, gates)[-1].verdict == "pass"


def test_rows_that_the_champion_learnt_from_are_left_out(done: Any, table: Any, keep: Any) -> None:
    """Rows of the first hours come in late; the test part then begins earlier than the champion's did."""
    rows = partition_snapshot(keep(pd.concat([table(300, seed=9), table(600)]), done.home), done.config)
    answers = predict_test(load_bundle(Path(done.trained.folder), done.trained.files), rows)
    compare = Paired("rmse", rows.table("test")["y"])

    def compared(split: dict[str, Any]) -> Any:
        definition = done.config.model_dump(mode="json") | {"split": split}
        files = {"folder": done.trained.folder, "files": done.trained.files}
        made_from = {"snapshot": done.attempt.snapshot, "definition": definition}
        champion = Champion(pipeline="trips", version=3, **files, **made_from)
        return compare_with_champion(done.config, compare, rows, answers, champion)

    found = compared({"by": "time"})
    assert found.left_out == 60
    assert found.metrics == found.champion_metrics
    assert found.difference.model_dump() == {"value": 0.0, "low": 0.0, "high": 0.0}
    found = compared({"by": "random", "test": 0.03})
    assert (found.difference, found.metrics) == (None, {})
    assert len(answers) - 10 < found.left_out < len(answers)


def test_a_champion_that_was_touched_is_compared_with_nothing_and_that_is_said(done: Any) -> None:
    champion = Champion(pipeline="trips", version=3, folder=done.trained.folder, files={"model.json": "00"})
    evaluation = evaluate_model(done.config, done.attempt, done.trained, champion)
    assert evaluation.comparison is None
    assert evaluation.no_comparison is not None
    assert evaluation.no_comparison.champion_version == 3
    assert "not the one recorded" in evaluation.no_comparison.reason


def test_the_smoke_test_tells_what_is_wrong(done: Any, table: Any) -> None:
    rows = table(20, seed=8)
    answers = load_bundle(Path(done.trained.folder), done.trained.files).predict(rows)
    assert smoke_test(done.trained, rows, answers) is None
    assert "the answers differ" in str(smoke_test(done.trained, rows, answers + 1.0))
    path = Path(done.trained.folder) / "estimator.skops"
    content = path.read_bytes()
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    failure = smoke_test(done.trained, rows, answers)
    path.write_bytes(content)
    assert "estimator.skops differ or are missing" in str(failure)


@pytest.mark.parametrize("task", ["binary", "multiclass"])
def test_the_trivial_classifier_gives_the_shares_of_training(task: str, define: Any, table: Any) -> None:
    config = define(task)
    parts = split_rows(table(400), config)
    name, answers = trivial_predictions(
        config, *(part[config.data.target] for part in (parts.train, parts.test))
    )
    shares = parts.train[config.data.target].value_counts(normalize=True)
    assert name == "most frequent class"
    assert set(answers["prediction"]) == {shares.idxmax()}
    assert answers.index.equals(parts.test.index)
    first = answers.drop(columns="prediction").iloc[0]
    assert first.to_dict() == pytest.approx({f"p_{k}": v for k, v in shares.items()})
    assert list(first.index) == sorted(first.index)
