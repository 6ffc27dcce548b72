"""Each trial of a tuning is one child run in a real MLflow store, however often it is logged."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pipelines.errors import TrainingFailed
from pipelines.home import Home
from pipelines.records import Attempt, Snapshot, Trial
from pipelines.registry.mlflow_store import connect, experiment_id
from pipelines.registry.run_log import RunLog, find_run
from pipelines.registry.trial_runs import create_child, log_trials
from pipelines.training.folder import AttemptFolder

SNAPSHOT = Snapshot(pipeline="trips", uri="trips", version=0, rows=9, fingerprint="f")
TRIALS = [
    Trial(
        number=0,
        settings={"width": 16, "schedule": "cosine"},
        status="finished",
        losses=[0.9, 0.5, 0.6],
        best=0.5,
        seconds=2.5,
    ),
    Trial(
        number=1,
        settings={"width": 64, "schedule": "constant"},
        status="stopped early",
        losses=[0.8],
        best=0.8,
        seconds=0.7,
    ),
    Trial(number=2, settings={"width": 9, "schedule": "cosine"}, status="failed", reason="The loss is nan."),
]


@pytest.fixture
def tuned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A client, the attempt's run and the attempt, whose folder has the log of three trials."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    home = Home(tmp_path / "home")
    attempt = Attempt(id="trips-1", pipeline="trips", snapshot=SNAPSHOT, folder=str(tmp_path / "attempt"))
    folder = AttemptFolder.of(attempt)
    folder.root.mkdir()
    folder.trials.write_text("".join(f"{trial.model_dump_json()}\n" for trial in TRIALS))
    client = connect(home)
    run = client.create_run(experiment_id(client, home, "trips"))
    return client, run, attempt


def test_trials_are_children_of_the_attempts_run_and_never_there_twice(tuned: Any) -> None:
    client, run, attempt = tuned
    experiment, parent = run.info.experiment_id, run.info.run_id
    log = AttemptFolder.of(attempt).trials
    # A call that was killed after its first request leaves an empty child.
    at = int(log.stat().st_mtime * 1000)
    create_child(client, experiment, parent, TRIALS[0], at)
    children = log_trials(client, parent, attempt, log)
    assert log_trials(client, parent, attempt, log) == children
    found = {r.info.run_id: r for r in client.search_runs([experiment]) if r.info.run_id != parent}
    assert set(children) == set(found)
    assert len(children) == 3
    runs = [found[child] for child in children]
    assert {r.data.tags["mlflow.parentRunId"] for r in runs} == {parent}
    assert [r.info.status for r in runs] == ["FINISHED", "FINISHED", "FAILED"]
    assert [r.data.tags["evergreen.trial_status"] for r in runs] == ["finished", "stopped early", "failed"]
    assert runs[0].data.params == {"width": "16", "schedule": "cosine"}
    course = client.get_metric_history(children[0], "validation_loss")
    assert [(m.step, m.value) for m in course] == [(1, 0.9), (2, 0.5), (3, 0.6)]
    assert runs[0].data.metrics["best_validation_loss"] == 0.5
    assert runs[2].data.tags["evergreen.reason"] == "The loss is nan."


def test_the_attempts_run_says_what_was_found(tuned: Any) -> None:
    client, run, attempt = tuned
    log_trials(client, run.info.run_id, attempt, AttemptFolder.of(attempt).trials)
    params = client.get_run(run.info.run_id).data.params
    assert params == {"tuned.width": "16", "tuned.schedule": "cosine", "tuned.trial": "0"}
    assert [f.path for f in client.list_artifacts(run.info.run_id)] == ["tuning.html"]


def test_without_a_tuning_there_are_no_children(tuned: Any) -> None:
    client, run, attempt = tuned
    nothing = AttemptFolder.of(attempt).failed_trials
    assert log_trials(client, run.info.run_id, attempt, nothing) == []
    assert len(client.search_runs([run.info.experiment_id])) == 1


def test_trials_of_a_tuning_that_failed_are_children_beside_those_of_the_next_try(
    tuned: Any, define: Any
) -> None:
    client, _, attempt = tuned
    folder, home = AttemptFolder.of(attempt), Home(Path(attempt.folder).parent / "home")
    failed = TRIALS[2].model_copy(update={"number": 0})
    folder.trials.write_text(failed.model_dump_json())
    folder.trials.replace(folder.failed_trials)
    with pytest.raises(TrainingFailed), RunLog(define(), home, attempt):
        raise TrainingFailed("tuning: none of 1 trials gave a model: The loss is nan.", "Give it more time.")
    run = find_run(client, home, attempt)
    assert run is not None
    folder.trials.write_text(TRIALS[0].model_dump_json())
    log_trials(client, run.info.run_id, attempt, folder.trials)
    runs = client.search_runs(
        [run.info.experiment_id], f"tags.`mlflow.parentRunId` = '{run.info.run_id}'", order_by=["status"]
    )
    assert [(r.info.status, r.data.tags["evergreen.trial"]) for r in runs] == [
        ("FAILED", "0"),
        ("FINISHED", "0"),
    ]
    assert runs[0].data.tags["evergreen.reason"] == "The loss is nan."
