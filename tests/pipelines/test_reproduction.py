"""A version comes out the same when it is made again, and what does not is said."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipelines.errors import DataError, UsageError
from pipelines.evaluation.metrics import score_all
from pipelines.home import Home
from pipelines.ledger import Ledger
from pipelines.models.bundle import load_bundle
from pipelines.partition import partition_snapshot
from pipelines.records import TrainOutcome
from pipelines.reproduction import compare_versions, read_version, train_again
from pipelines.training.provenance import describe_environment, find_commit

Register = Callable[..., Home]
FAST = {"epochs": 3, "batch_size": 64, "refit": False}


@pytest.fixture
def register(train: Any, define: Any, trips: Any, home: Home) -> Register:
    """A home with version 1 of the trips in its ledger, as a training flow leaves it."""

    def make(kind: str, task: str = "regression", **environment: Any) -> Home:
        model = {"kind": kind, "width": 16, "members": 2}
        config = define(task, model=model, training=FAST, split={"by": "random"})
        done = train(home, config, trips(300))
        test = partition_snapshot(done.attempt.snapshot, config).table("test")
        answers = load_bundle(Path(done.trained.folder), done.trained.files).predict(test)
        metrics = score_all(task, test[config.data.target], answers)
        ledger = Ledger.open(home)
        ledger.name_pipeline("trips", home.root / "pipeline.yaml")
        around = describe_environment() | environment
        ledger.start_attempt(done.attempt, config.model_dump(mode="json"), around)
        ledger.finish_attempt(
            TrainOutcome(status="promoted", pipeline="trips", attempt=done.attempt.id, metrics=metrics)
        )
        ledger.record_version(done.attempt.id, done.trained, 1)
        return home

    return make


@pytest.mark.parametrize(("kind", "task"), [("gradient_boosting", "regression"), ("mlp", "multiclass")])
def test_a_version_is_made_again_bit_for_bit(register: Register, kind: str, task: str) -> None:
    home, around = register(kind, task, python="3.0.1"), dict(os.environ)
    before = Ledger.open(home).attempts("trips")
    recorded = read_version(home, "trips", 1)
    found = compare_versions(home, recorded, train_again(home, recorded))
    assert found.agrees
    assert found.weights.largest_difference == 0
    assert {"model.json", "features.skops"} < found.weights.files.keys()
    assert all(metric.difference == 0 for metric in found.metrics.values())
    assert found.environment.keys() - {"commit"} == {"python"}
    assert found.environment["python"]["recorded"] == "3.0.1"
    assert Ledger.open(home).attempts("trips") == before
    assert dict(os.environ) == around
    assert Ledger.open(home).champion("trips") is None
    assert list((home.pipeline("trips").root / "reproduction").iterdir()) == []


def test_what_differs_is_said_with_how_far(register: Register) -> None:
    home = register("linear")
    recorded = read_version(home, "trips", 1)
    other = recorded.config.model_copy(
        update={"model": recorded.config.model.model_copy(update={"penalty": 50.0})}
    )
    changed = recorded.model_copy(update={"config": other})
    found = compare_versions(home, changed, train_again(home, changed))
    assert not found.agrees
    assert not found.weights.files["estimator.skops"].equal
    assert found.weights.files["features.skops"].equal
    assert found.metrics["rmse"].difference > 0
    assert found.folder is not None
    assert Path(found.folder, "bundle").is_dir()
    assert (found.weights.largest_difference or 0) > 0


def test_what_cannot_be_made_again_is_said(register: Register) -> None:
    home = register("linear")
    with pytest.raises(UsageError, match=r"no version 7 \(versions: 1\)"):
        read_version(home, "trips", 7)
    recorded, rows = read_version(home, "trips", 1), home.pipeline("trips").rows
    for part in rows.glob("*.parquet"):
        part.unlink()  # as a vacuum does: the table's log still names it
    with pytest.raises(DataError, match="the data of trips@0 is gone"):
        train_again(home, recorded)
    shutil.rmtree(rows)
    with pytest.raises(DataError, match="the data of trips@0 is gone"):
        train_again(home, recorded)


def test_the_commit_is_that_of_the_repository_that_keeps_the_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A package that is installed inside somebody's repository has none."""

    def git(*words: str) -> str:
        who = ["-c", "user.name=a", "-c", "user.email=a@b.c"]
        done = subprocess.run(["git", *who, *words], cwd=tmp_path, check=True, capture_output=True, text=True)
        return done.stdout.strip()

    installed, kept = tmp_path / "venv" / "code.py", tmp_path / "code.py"
    installed.parent.mkdir()
    git("init", "-q")
    for file in (installed, kept):
        file.write_text("")
    git("add", "code.py")
    git("commit", "-qm", "first")
    assert find_commit(kept) == git("rev-parse", "HEAD")
    assert find_commit(installed) is None
    ours = find_commit()
    monkeypatch.setenv("GIT_DIR", str(tmp_path / ".git"))  # as in a hook of that repository
    assert find_commit() == ours
