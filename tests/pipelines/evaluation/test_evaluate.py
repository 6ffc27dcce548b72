"""A trained model, measured against baseline and champion on the same rows."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from pipelines import partition
from pipelines.clock import now
from pipelines.config import Gates, Measuring
from pipelines.data.storage import snapshots
from pipelines.evaluation import evaluate
from pipelines.evaluation.answers import predict_test
from pipelines.evaluation.baselines import trivial
from pipelines.evaluation.champion import Opponent, ask_champion, compare_with_champion, signature_changes
from pipelines.evaluation.evaluate import evaluate_model
from pipelines.evaluation.footprint import try_alone
from pipelines.evaluation.sampling import draw_sample
from pipelines.gates import judge
from pipelines.home import Home
from pipelines.models.bundle import load_bundle
from pipelines.partition import hold, partition_rows, partition_snapshot
from pipelines.records import Champion, Evaluation, Footprint, NoComparison

BOOSTING = {"kind": "gradient_boosting"}


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory, train: Any, define: Any, table: Any) -> Any:
    return train(Home(tmp_path_factory.mktemp("home")), define(model=BOOSTING), table(600))


def test_a_first_model_has_a_baseline_and_no_champion(done: Any) -> None:
    evaluation = evaluate_model(done.config, done.attempt, done.trained)
    assert (evaluation.rows, evaluation.comparison, evaluation.smoke_failure) == (120, None, None)
    baseline = evaluation.baselines[0]
    assert [b.name for b in evaluation.baselines] == ["training mean", "last value", "linear model"]
    assert [b.linear for b in evaluation.baselines] == [False, False, True]
    assert evaluation.metrics["rmse"] < 0.5 * baseline.metrics["rmse"]
    difference = baseline.differences["rmse"]
    assert difference.value == pytest.approx(baseline.metrics["rmse"] - evaluation.metrics["rmse"])
    assert evaluation.metrics.keys() == evaluation.intervals.keys() == baseline.differences.keys()
    assert {"rmse", "mae", "r2"} <= evaluation.metrics.keys()
    for name, interval in evaluation.intervals.items():
        assert interval.low < interval.value == evaluation.metrics[name] < interval.high
    assert Evaluation.model_validate_json(evaluation.model_dump_json()) == evaluation
    assert {v.name: v.verdict for v in judge(evaluation, done.config.gates, now())} == {
        "smoke": "pass",
        "baseline": "pass",
        "leak": "pass",
    }
    assert evaluation.kind == "gradient_boosting"
    assert evaluation.footprint is not None
    assert evaluation.newest == pd.Timestamp("2025-01-01") + pd.Timedelta(hours=599)
    assert evaluation.signature_changes is None
    assert {one.column for one in evaluation.importances} == {"at", "zone", "distance", "passengers"}
    assert evaluation.importances[0].column == "distance"
    assert [probe.failure for probe in evaluation.probes if probe.failure] == []
    assert evaluation.plots.residuals is not None


def test_predictions_in_pieces_are_those_of_the_whole(done: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    bundle = load_bundle(Path(done.trained.folder), done.trained.files)
    whole = predict_test(bundle, partition_snapshot(done.attempt.snapshot, done.config))
    monkeypatch.setattr(partition, "LARGE", 1)
    monkeypatch.setattr(snapshots, "PIECE", 50)
    rows = partition_snapshot(done.attempt.snapshot, done.config)
    assert len(list(rows.pieces("test"))) > 1
    found = predict_test(bundle, rows)
    pd.testing.assert_frame_equal(found.reset_index(drop=True), whole.reset_index(drop=True))


def test_a_model_against_itself_is_no_worse(done: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evaluate, "draw_sample", partial(draw_sample, most=50))
    champion = Champion(pipeline="trips", version=3, folder=done.trained.folder, files=done.trained.files)
    sliced = Measuring(slices=["zone", "distance > 1e9"])
    config = done.config.model_copy(update={"evaluation": sliced})
    evaluation = evaluate_model(config, done.attempt, done.trained, champion)
    parts: dict[str, Any] = {part.name: part for part in evaluation.slices if not part.found}
    assert {"zone = north", "zone = south", "zone = east", "zone is missing"} <= parts.keys()
    assert sum(part.rows for part in parts.values()) == evaluation.rows == 120  # not of the sample alone
    assert parts["zone = north"].champion == parts["zone = north"].interval.value
    assert set(parts["zone = north"].difference.bounds) == {0.0}
    assert (parts["distance > 1e9"].rows, parts["distance > 1e9"].interval) == (0, None)
    assert evaluation.signature_changes == {}
    assert evaluation.comparison is not None
    assert evaluation.comparison.champion_version == 3
    assert evaluation.comparison.champion_metrics == evaluation.metrics
    assert set(evaluation.comparison.differences["rmse"].bounds) == {0.0}
    gates = Gates.model_validate({"champion": {"margin": 0}})
    said = {v.name: v.verdict for v in judge(evaluation, gates, now())}
    assert (said["champion"], said["signature"]) == ("pass", "pass")


def test_rows_that_the_champion_learnt_from_are_left_out(done: Any, table: Any, keep: Any) -> None:
    """Rows of the first hours come in late; the test part then begins earlier than the champion's did."""
    rows = partition_snapshot(keep(pd.concat([table(300, seed=9), table(600)]), done.home), done.config)
    answers = predict_test(load_bundle(Path(done.trained.folder), done.trained.files), rows)

    def compared(split: dict[str, Any]) -> Any:
        definition = done.config.model_dump(mode="json") | {"split": split}
        files = {"folder": done.trained.folder, "files": done.trained.files}
        made_from = {"snapshot": done.attempt.snapshot, "definition": definition}
        champion = Champion(pipeline="trips", version=3, **files, **made_from)
        met = ask_champion(done.config, rows, champion)
        assert isinstance(met, Opponent)
        return compare_with_champion(done.config, rows, answers, met)

    found = compared({"by": "time"})
    assert found.left_out == 60
    assert found.metrics == found.champion_metrics
    assert set(found.differences["rmse"].bounds) == {0.0}
    assert found.rows == len(answers) - 60
    found = compared({"by": "random", "test": 0.03})
    assert (found.differences, found.metrics) == ({}, {})
    assert len(answers) - 10 < found.left_out < len(answers)


def test_a_champion_that_was_touched_is_compared_with_nothing_and_that_is_said(done: Any) -> None:
    champion = Champion(pipeline="trips", version=3, folder=done.trained.folder, files={"model.json": "00"})
    found = ask_champion(done.config, partition_snapshot(done.attempt.snapshot, done.config), champion)
    assert isinstance(found, NoComparison)
    assert found.champion_version == 3
    assert "not the one recorded" in found.reason
    assert signature_changes(done.trained, champion) is None


def test_a_champion_of_other_columns_is_compared_with_nothing_and_they_are_named(
    done: Any, define: Any, table: Any, keep: Any, tmp_path: Path
) -> None:
    columns = {"length": {"type": "number"}, "y": {"type": "number"}}
    config = define(columns=columns, data={"source": "trips.csv", "target": "y"}, split={"by": "random"})
    snapshot = keep(table(60)[["distance", "y"]].rename(columns={"distance": "length"}), Home(tmp_path))
    rows = partition_snapshot(snapshot, config)
    champion = Champion(pipeline="trips", version=3, folder=done.trained.folder, files=done.trained.files)
    found = ask_champion(config, rows, champion)
    assert isinstance(found, NoComparison)
    assert "The model needs zone, distance, passengers, at; the rows have length" in found.reason


def test_a_clean_process_tells_what_is_wrong_or_what_the_model_takes(done: Any, table: Any) -> None:
    rows = table(20, seed=8)
    answers = load_bundle(Path(done.trained.folder), done.trained.files).predict(rows)
    found = try_alone(done.trained, rows, answers)
    assert isinstance(found, Footprint)
    assert 0 < found.latency_p50 <= found.latency_p99
    assert found.size_bytes == sum(
        f.stat().st_size for f in Path(done.trained.folder).rglob("*") if f.is_file()
    )
    assert "the answers differ" in str(try_alone(done.trained, rows, answers + 1.0))
    path = Path(done.trained.folder) / "estimator.skops"
    content = path.read_bytes()
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    failure = try_alone(done.trained, rows, answers)
    path.write_bytes(content)
    assert "estimator.skops differ or are missing" in str(failure)


@pytest.mark.parametrize("task", ["binary", "multiclass"])
def test_the_trivial_classifier_gives_the_shares_of_training(task: str, define: Any, table: Any) -> None:
    config = define(task)
    rows = partition_rows(hold(table(400)), config)
    learnt = rows.table("train")[config.data.target]
    name, answers = trivial(config, learnt, rows.count("test"))
    shares = learnt.value_counts(normalize=True)
    assert name == "most frequent class"
    assert set(answers["prediction"]) == {shares.idxmax()}
    assert len(answers) == rows.count("test")
    first = answers.drop(columns="prediction").iloc[0]
    assert first.to_dict() == pytest.approx({f"p_{k}": v for k, v in shares.items()})
    assert list(first.index) == sorted(first.index)
