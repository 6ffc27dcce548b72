"""An attempt is one process and one result, whoever dies on the way."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from pipelines.config import PipelineConfig
from pipelines.config.sections import Data
from pipelines.environment import child_environment
from pipelines.errors import DataError, TrainingFailed
from pipelines.home import Home
from pipelines.models.bundle import load_bundle
from pipelines.records import Attempt, TrainedModel
from pipelines.training.attempts import fit_model, plan_attempt
from pipelines.training.folder import AttemptFolder
from pipelines.training.processes import is_locked, warm_up
from tests.waiting import until

EPOCHS = 60
Plan = Callable[..., tuple[PipelineConfig, Attempt]]


@pytest.fixture(scope="module")
def plan(tmp_path_factory: pytest.TempPathFactory, table: Any, define: Any, keep: Any) -> Plan:
    """A definition and its attempt in a home of its own; the same words give the same attempt elsewhere."""

    def make(rows: int = 600, task: str = "regression", **sections: Any) -> tuple[PipelineConfig, Attempt]:
        home = Home(tmp_path_factory.mktemp("home"))
        plain = {"epochs": EPOCHS, "patience": EPOCHS, "batch_size": 16, "refit": False}
        training = plain | sections.pop("training", {})
        config = define(task, training=training, **{"split": {"by": "random"}} | sections)
        return config, plan_attempt(config, home, keep(table(rows), home), None)

    return make


@pytest.fixture(scope="module")
def undisturbed(plan: Plan) -> tuple[PipelineConfig, Attempt, TrainedModel]:
    config, attempt = plan()
    return config, attempt, fit_model(config, attempt, [SEEN.extend, break_down])


SEEN: list[dict[str, Any]] = []


def break_down(_rows: list[dict[str, Any]]) -> None:
    raise ConnectionError("nobody looks on")


def raw_epochs(attempt: Attempt) -> list[int]:
    path = Path(attempt.folder) / "progress.jsonl"
    return [json.loads(line)["epoch"] for line in path.read_text().splitlines()] if path.exists() else []


def wait_for_epochs(attempt: Attempt, count: int, alive: Callable[[], bool]) -> None:
    def told() -> bool:
        assert alive()
        return len(raw_epochs(attempt)) >= count

    until(told, 200)


def driver_of(attempt: Attempt) -> int:
    return int((Path(attempt.folder) / "pid").read_text())


def is_same_model(one: TrainedModel, other: TrainedModel) -> bool:
    first, second = (torch.load(Path(t.folder) / "weights.pt", weights_only=True) for t in (one, other))
    return list(first) == list(second) and all(torch.equal(first[name], second[name]) for name in first)


# ------------------------------------------------------------------------------------------------ undisturbed


def test_the_loss_falls_and_every_epoch_is_told_once(undisturbed: Any) -> None:
    _, attempt, trained = undisturbed
    epochs = AttemptFolder.of(attempt).read_epochs()
    assert raw_epochs(attempt) == [e["epoch"] for e in epochs] == list(range(1, EPOCHS + 1))
    assert epochs == SEEN  # by a watch, although another one broke down
    assert epochs[-1]["loss"] < 0.5 * epochs[0]["loss"]
    assert trained.details["validation_loss"] == pytest.approx(min(e["validation"] for e in epochs), abs=1e-6)
    assert trained.details["workers"] == 0
    assert trained.attempt == attempt.id
    assert list(Path(attempt.folder).rglob("state.pt")) == []  # no checkpoint outlives what it was for
    until(lambda: not AttemptFolder.of(attempt).arrays.exists())  # nor the arrays, which the driver clears


def test_the_model_has_learnt(undisturbed: Any, table: Any) -> None:
    _, _, trained = undisturbed
    rows = table(300, seed=5)
    answers = load_bundle(Path(trained.folder), trained.files).predict(rows)["prediction"]
    known = rows["distance"].notna() & rows["zone"].notna()
    rmse = float(np.sqrt(((answers - rows["y"])[known] ** 2).mean()))
    assert rmse < 0.5 * rows["y"][known].std()


def test_the_second_call_takes_the_first_s_result(undisturbed: Any) -> None:
    config, attempt, trained = undisturbed
    log = Path(attempt.folder) / "log"
    before = log.stat().st_mtime_ns
    assert fit_model(config, attempt) == trained
    assert (log.stat().st_mtime_ns, raw_epochs(attempt)[-1]) == (before, EPOCHS)


# ------------------------------------------------------------------------------------------------ killed


def test_a_killed_driver_is_started_again_and_goes_on_from_its_checkpoint(
    plan: Plan, undisturbed: Any
) -> None:
    config, attempt = plan()
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(fit_model, config, attempt)
        wait_for_epochs(attempt, 4, lambda: not waiting.done())
        first = driver_of(attempt)
        os.kill(first, signal.SIGKILL)
        trained = waiting.result()
    assert driver_of(attempt) != first
    told = raw_epochs(attempt)
    assert sorted(set(told)) == list(range(1, EPOCHS + 1))
    assert len(told) <= EPOCHS + 1  # the epoch whose checkpoint was not yet written, at most
    assert [e["epoch"] for e in AttemptFolder.of(attempt).read_epochs()] == list(range(1, EPOCHS + 1))
    assert trained.details == undisturbed[2].details
    assert is_same_model(trained, undisturbed[2])


FIT = """
import json, sys
from pathlib import Path
from pipelines.config import PipelineConfig
from pipelines.records import Attempt
from pipelines.training.attempts import fit_model
spec = json.loads(Path(sys.argv[1]).read_text())
config, attempt = PipelineConfig.model_validate(spec["config"]), Attempt.model_validate(spec["attempt"])
fit_model(config, attempt, [lambda _rows: Path(sys.argv[1]).with_name("follows").touch()])
"""


def call_elsewhere(config: PipelineConfig, attempt: Attempt) -> subprocess.Popen[bytes]:
    """`fit_model` in a process of its own, as a flow run is."""
    spec = Path(attempt.folder).parent / "call.json"
    spec.parent.mkdir(parents=True, exist_ok=True)
    spec.write_text(json.dumps({"config": config.model_dump(mode="json"), "attempt": attempt.model_dump()}))
    return subprocess.Popen(
        [sys.executable, "-c", FIT, str(spec)], env=child_environment(), stderr=subprocess.DEVNULL
    )


def test_a_killed_caller_leaves_the_training_and_an_interrupted_one_stops_it(
    plan: Plan, undisturbed: Any
) -> None:
    config, attempt = plan()
    lock = Path(attempt.folder) / "lock"

    caller = call_elsewhere(config, attempt)
    wait_for_epochs(attempt, 3, lambda: caller.poll() is None)
    driver = driver_of(attempt)
    caller.kill()
    caller.wait()
    assert is_locked(lock)

    os.kill(driver, signal.SIGSTOP)  # until somebody follows it, however long that takes to start
    follows = Path(attempt.folder).with_name("follows")
    follows.unlink(missing_ok=True)
    second = call_elsewhere(config, attempt)
    until(follows.exists)
    assert driver_of(attempt) == driver  # attached: no second driver
    second.send_signal(signal.SIGINT)
    os.kill(driver, signal.SIGCONT)
    assert second.wait() != 0
    assert not is_locked(lock)
    assert not (Path(attempt.folder) / "result.json").exists()

    trained = fit_model(config, attempt)
    assert driver_of(attempt) != driver
    assert [e["epoch"] for e in AttemptFolder.of(attempt).read_epochs()] == list(range(1, EPOCHS + 1))
    assert trained.details == undisturbed[2].details
    assert is_same_model(trained, undisturbed[2])


def test_a_driver_that_hangs_is_ended_and_said(plan: Plan) -> None:
    config, attempt = plan(training={"stall": "PT2S", "failures": 0, "epochs": 10_000, "patience": 10_000})
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(fit_model, config, attempt)
        wait_for_epochs(attempt, 1, lambda: not waiting.done())
        os.kill(driver_of(attempt), signal.SIGSTOP)
        with pytest.raises(TrainingFailed, match=r"given up after 1 faults.*no sign of progress for 2 s"):
            waiting.result()
    assert not is_locked(AttemptFolder.of(attempt).lock)


def test_a_driver_that_was_started_ahead_takes_the_attempt(plan: Plan) -> None:
    import psutil

    config, attempt = plan(training={"epochs": 2})
    warm_up()
    waiting = [p.pid for p in psutil.Process().children() if "--wait" in p.cmdline()]
    trained = fit_model(config, attempt)
    assert [driver_of(attempt)] == waiting
    assert {"start", "import", "prepare", "gather", "epochs", "wind_down"} <= set(trained.parts)


# ---------------------------------------------------------------------------------------- what cannot be


def test_more_workers_than_there_are_is_said_at_once_and_no_password_is_kept(plan: Plan) -> None:
    data = {"source": "postgresql://me:hushed@host/db", "table": "t", "target": "y", "timestamp": "at"}
    config, attempt = plan(training={"workers": 64}, data=data)
    said = r"training.workers: 64 asked for, each with a CPU, but .* has \d+ CPUs.*Ask for at most"
    with pytest.raises(TrainingFailed, match=said):
        fit_model(config, attempt)
    files = [file.read_text() for file in Path(attempt.folder).rglob("*") if file.is_file()]
    assert "me:***@host" in "".join(files)
    assert "hushed" not in "".join(files)


def test_rows_that_cannot_be_split_are_the_data_s_fault(plan: Plan) -> None:
    config, attempt = plan(rows=12)
    for _ in range(2):  # what was wrong is found anew, not remembered
        with pytest.raises(DataError, match=r"12 usable rows split into") as caught:
            fit_model(config, attempt)
        assert "The log is" in caught.value.hint


def test_a_loss_that_is_no_number_names_the_learning_rate(plan: Plan) -> None:
    config, attempt = plan(training={"learning_rate": 1e30})
    with pytest.raises(
        TrainingFailed, match=r"nan in epoch 1, batch \d+ of \d+.*ower training.learning_rate"
    ):
        fit_model(config, attempt)


# ------------------------------------------------------------------------------------------------ other kinds


def test_gradient_boosting_is_an_attempt_like_any_other(plan: Plan, table: Any) -> None:
    config, attempt = plan(task="binary", model={"kind": "gradient_boosting"})
    trained = fit_model(config, attempt)
    rows = table(300, seed=5)
    answers = load_bundle(Path(trained.folder), trained.files).predict(rows)
    assert (answers["prediction"] == rows["late"]).mean() > 0.85


@pytest.mark.slow
def test_two_workers_share_the_rows_and_learn_one_model(plan: Plan, table: Any) -> None:
    config, attempt = plan(training={"workers": 2, "epochs": 15})
    trained = fit_model(config, attempt)
    epochs = AttemptFolder.of(attempt).read_epochs()
    assert raw_epochs(attempt) == list(range(1, 16))
    assert trained.details["workers"] == 2
    assert list(Path(attempt.folder).rglob("state.pt")) == []
    assert epochs[-1]["loss"] < epochs[0]["loss"]
    rows = table(300, seed=5)
    answers = load_bundle(Path(trained.folder), trained.files).predict(rows)["prediction"]
    assert np.corrcoef(answers, rows["y"])[0, 1] > 0.8


# ------------------------------------------------------------------------------------------------ identity


def changed_column(config: PipelineConfig, **changes: Any) -> dict[str, Any]:
    distance = config.columns["distance"].model_copy(update=changes)
    return config.columns | {"distance": distance}


def test_the_same_rows_and_definition_are_the_same_attempt(
    plan: Plan, undisturbed: Any, tmp_path: Path
) -> None:
    config, attempt, _ = undisturbed
    again = plan_attempt(config, Home(tmp_path), attempt.snapshot, "another cause")
    assert again.id == attempt.id
    later = attempt.snapshot.model_copy(update={"version": 9, "uri": "elsewhere"})
    # Content counts, not the version.
    assert plan_attempt(config, Home(tmp_path), later, None).id == attempt.id
    read = {"source": "elsewhere.csv", "retention": "P400D", "key": ["zone"], "format": {"missing": ["-"]}}
    moved = config.model_copy(
        update={
            "folder": tmp_path,
            "monitoring": config.monitoring.model_copy(update={"schedule": "@daily"}),
            "data": Data.model_validate(config.data.model_dump() | read),
            "columns": changed_column(config, why="it is far", also=["km"], optional=True),
        }
    )
    # Nothing is learnt from these.
    assert plan_attempt(moved, Home(tmp_path), attempt.snapshot, None).id == attempt.id


def test_other_rows_or_another_definition_are_another_attempt(
    define: Any, undisturbed: Any, tmp_path: Path
) -> None:
    config, attempt, _ = undisturbed
    ids = {
        attempt.id,
        plan_attempt(
            config, Home(tmp_path), attempt.snapshot.model_copy(update={"fingerprint": "0"}), None
        ).id,
    }
    for change in (
        {"training": {"seed": 8}},
        {"model": {"width": 17}},
        {"split": {"by": "random"}},
        {"metric": "mae"},
        {"gates": {"champion": {"margin": 0.5}}},
    ):
        ids.add(plan_attempt(define(**change), Home(tmp_path), attempt.snapshot, None).id)
    for column in ({"type": "category"}, {"use": False}):
        other = config.model_copy(update={"columns": changed_column(config, **column)})
        ids.add(plan_attempt(other, Home(tmp_path), attempt.snapshot, None).id)
    assert len(ids) == 9
