"""A tuning spends its budget once, whoever dies on the way, and the best settings train the model."""

from __future__ import annotations

import json
import math
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pipelines.config import Model, PipelineConfig, Training, Tuning
from pipelines.environment import child_environment
from pipelines.errors import EvergreenError, TrainingFailed
from pipelines.home import Home
from pipelines.models.bundle import Description
from pipelines.partition import partition_snapshot
from pipelines.records import Attempt, Trial
from pipelines.training.attempts import plan_attempt
from pipelines.training.fitting import plan_job
from pipelines.training.folder import AttemptFolder
from pipelines.training.job import FitJob
from pipelines.training.search_space import distributions, search_space
from pipelines.training.trials import TrialLog, best_trial, read_trials
from pipelines.training.tuning import Shares, Teller, finish, plan_trials, tune

Plan = Callable[..., tuple[PipelineConfig, Attempt, AttemptFolder]]


@pytest.fixture
def plan(tmp_path: Path, table: Any, define: Any, keep: Any) -> Plan:
    """An attempt with a tuning, ready for its driver."""

    def make(rows: int = 400, **sections: Any) -> tuple[PipelineConfig, Attempt, AttemptFolder]:
        home = Home(tmp_path)
        training = {"epochs": 20, "batch_size": 32, "refit": False, "clip": None} | sections.pop(
            "training", {}
        )
        sections = {"model": {"kind": "mlp", "width": 16}, "split": {"by": "random"}} | sections
        config = define(training=training, **sections)
        attempt = plan_attempt(config, home, keep(table(rows), home), None)
        folder = AttemptFolder.of(attempt)
        folder.root.mkdir(parents=True)
        spec = {"config": config.model_dump(mode="json"), "attempt": attempt.model_dump(mode="json")}
        folder.spec.write_text(json.dumps(spec))
        return config, attempt, folder

    return make


@pytest.fixture
def job() -> FitJob:
    description = Description(
        kind="mlp",
        task="regression",
        target="y",
        timestamp=None,
        types={},
        classes=[],
        bins=[[0.0]],
        cardinalities=[],
        model=Model(kind="mlp"),
    )
    here = Path("/nowhere")
    return FitJob(
        name="job",
        root=here,
        arrays=here,
        place=here,
        description=description,
        metric="rmse",
        training=Training(),
    )


def drive(folder: AttemptFolder) -> subprocess.Popen[bytes]:
    """The attempt's driver, as `ChildProcess` starts it."""
    command = [sys.executable, "-m", "pipelines.training.driver", str(folder.root)]
    with folder.log.open("ab") as log:
        return subprocess.Popen(
            command, stdout=log, stderr=log, start_new_session=True, env=child_environment()
        )


def ended(folder: AttemptFolder) -> dict[int, Trial]:
    return {t.number: t for t in read_trials(folder.trials) if t.status != "running"}


@pytest.mark.slow
def test_a_tuning_that_is_killed_goes_on_and_repeats_no_trial(plan: Plan) -> None:
    rates = {"choices": [0.002, 0.02, 1e30]}  # one of them is too much
    space = {"width": [8, 24], "depth": [1, 2], "learning_rate": rates}
    from pipelines.training.trial_hooks import FEWEST

    config, attempt, folder = plan(tuning={"trials": 5, "concurrent": 1, "space": space})
    first = drive(folder)
    while len(ended(folder)) < 2:
        assert first.poll() is None, folder.log.read_text()
        time.sleep(0.01)
    os.kill(first.pid, signal.SIGKILL)
    first.wait()
    before, begun = ended(folder), {t.number: t for t in read_trials(folder.trials)}
    assert len(before) < 5
    assert not folder.tuned.exists()

    assert drive(folder).wait(timeout=200) == 0, folder.log.read_text()
    after = ended(folder)
    assert sorted(after) == list(range(5))
    assert {number: after[number] for number in before} == before
    assert {n: after[n].settings for n in begun} == {n: t.settings for n, t in begun.items()}
    assert len({json.dumps(t.settings) for t in after.values()}) == 5
    best = best_trial(list(after.values()))
    assert best is not None
    trained = json.loads(folder.result.read_text())
    assert (trained["details"]["trials"], trained["details"]["best_trial"]) == (5, best.number)
    model = json.loads((folder.bundle / "model.json").read_text())["model"]
    assert {name: model[name] for name in ("width", "depth", "dropout")} == {
        name: best.settings[name] for name in ("width", "depth", "dropout")
    }
    halved = [t for t in after.values() if t.status == "stopped early"]
    assert all(len(t.losses) >= FEWEST for t in halved), "no epoch of a trial that went on is missing"
    failed = [t for t in after.values() if t.status == "failed"]
    assert {t.settings["learning_rate"] for t in failed} == {1e30}
    assert all("loss" in str(t.reason) for t in failed)
    told = [row for row in folder.read_epochs() if row["model"] == "tuning"]
    assert told[-1]["epoch"] == told[-1]["epochs"] == 5
    assert folder.read_epochs()[-1]["model"] == "mlp tuned"
    assert any(path.name.startswith("trial-") for path in folder.usage.iterdir())
    assert list(folder.candidates.glob("trial-*")) == []

    assert config.tuning is not None
    parts = partition_snapshot(attempt.snapshot, config)
    log = folder.trials.read_bytes()
    again = tune(plan_job(config, attempt, folder, parts), config.tuning)
    assert again.training.learning_rate == best.settings["learning_rate"]
    assert folder.trials.read_bytes() == log  # it is known, and no search


@pytest.mark.parametrize(
    ("nodes", "asked", "gpus", "shares"),
    [
        ([(2, 0)], "auto", "auto", (2, 1, 0)),
        ([(8, 0)], "auto", "auto", (5, 1, 0)),  # no more than there are trials
        ([(8, 0)], 2, "auto", (2, 4, 0)),
        ([(4, 0), (4, 0)], 1, "auto", (1, 4, 0)),  # no more than a node has
        ([(16, 2)], "auto", "auto", (2, 8, 1)),
        ([(16, 1)], "auto", 0.25, (4, 4, 0.25)),
        ([(8, 2)], "auto", 0.4, (4, 2, 0.4)),  # two to a device
    ],
)
def test_trials_share_what_there_is(nodes: Any, asked: Any, gpus: Any, shares: Any, job: FitJob) -> None:
    job = job.model_copy(update={"training": job.training.model_copy(update={"gpus": gpus})})
    there = [{"CPU": cpu, "GPU": gpu} for cpu, gpu in nodes]
    assert plan_trials(job.training, True, Tuning(trials=5, concurrent=asked), there) == Shares(*shares)


@pytest.mark.parametrize(
    ("nodes", "asked", "gpus", "words"),
    [
        (
            [(2, 0)],
            9,
            "auto",
            "9 trials at a time with 0 GPUs each .* but the cluster has 2 CPUs",
        ),
        ([(2, 0)], "auto", 1, "1 trials at a time with 1 GPUs each .* and 0 GPUs in all"),
        ([(4, 1), (4, 1)], "auto", 2, "with 2 GPUs each .* and 2 GPUs in all .nodes: 2.*Ask for less"),
    ],
)
def test_what_can_never_be_had_is_said(nodes: Any, asked: Any, gpus: Any, words: str, job: FitJob) -> None:
    job = job.model_copy(update={"training": job.training.model_copy(update={"gpus": gpus})})
    there = [{"CPU": cpu, "GPU": gpu} for cpu, gpu in nodes]
    with pytest.raises(EvergreenError, match=words):
        plan_trials(job.training, True, Tuning(concurrent=asked), there)


# ------------------------------------------------------------------------------------ what is known


def trial(number: int, losses: list[float], **changed: Any) -> Trial:
    settings = {"penalty": 0.1 * (number + 1)}
    best = min(losses, default=None)
    known = {"settings": settings, "losses": losses, "best": best, "status": "finished", "at": 9.0}
    return Trial.model_validate({"number": number} | known | changed)


def test_a_search_that_goes_on_takes_up_what_was_running_and_knows_what_has_ended(define: Any) -> None:
    from pipelines.training.trial_hooks import NumberedSearch

    tuning = define(model={"kind": "linear"}, tuning={}).tuning
    space = distributions(search_space("linear", tuning))
    known = [trial(0, [1.0]), trial(2, [0.5]), trial(3, [], status="failed")]
    waiting = [trial(1, [0.7], status="running")]
    search = NumberedSearch(space, known, waiting, 6, seed=1)
    assert [t.value for t in search._ot_study.get_trials(states=None)][:2] == [1.0, 0.5]
    proposed = [search.suggest(f"t{i}") for i in range(3)]
    assert proposed[0] == {"number": 1, "settings": waiting[0].settings}
    assert [p["number"] for p in proposed[1:]] == [4, 5]
    assert search.suggest("t3") == "FINISHED"
    search.on_trial_complete(
        "t0", {"best": math.inf, "training_iteration": 1}
    )  # failed: no value to learn from
    assert search._ot_study.get_trials()[3].value is None


def test_asha_judges_by_trials_of_a_driver_that_died() -> None:
    from pipelines.training.trial_hooks import halving

    known = [trial(n, [1.0 + n / 10] * 9) for n in range(6)]
    for losses, decision in [([3.0] * 9, "STOP"), ([0.5] * 9, "CONTINUE")]:
        asha, new = halving(18, known), SimpleNamespace(trial_id="new")
        asha.on_trial_add(None, new)
        said = [asha.on_trial_result(None, new, {"epoch": i, "best": v}) for i, v in enumerate(losses, 1)]
        assert said[:2] == ["CONTINUE", "CONTINUE"]
        assert ("STOP" in said) == (decision == "STOP")


def test_the_log_counts_an_epoch_that_is_told_again_once_and_time_over_drivers(tmp_path: Path) -> None:
    path = tmp_path / "trials.jsonl"
    log = TrialLog(path)
    log.start(0, {"width": 8})
    for epoch, loss in [(1, 3.0), (2, 1.0), (3, math.nan)]:
        log.tell(0, epoch, loss)
    log.start(1, {"width": 16})
    log.end(1, "failed", "no memory")
    again = TrialLog(path)
    assert again.before > 0
    assert [t.number for t in again.of_status("running")] == [0]
    again.start(0, {"width": 8})
    again.tell(0, 2, 1.5)
    again.tell(0, 3, 2.0)
    done = again.end(0, "finished")
    assert (done.losses, done.best) == ([3.0, 1.5, 2.0], 1.5)
    assert again.end(0, "stopped early").status == "finished"
    assert [(t.number, t.status) for t in read_trials(path)] == [(0, "finished"), (1, "failed")]
    path.write_text(path.read_text() + '{"number": 2, "sett')
    assert len(read_trials(path)) == 2


def test_the_best_trial_has_the_least_loss_of_those_that_did_not_fail() -> None:
    trials = [
        trial(0, [1.0]),
        trial(1, [0.2], status="failed"),
        trial(2, [0.5]),
        trial(3, [0.5]),
        trial(4, []),
    ]
    found = best_trial(trials)
    assert found is not None
    assert found.number == 2
    assert best_trial([trial(0, [])]) is None


def test_a_tuning_that_gave_no_model_is_searched_and_told_again(tmp_path: Path, job: FitJob) -> None:
    from pipelines.training.trial_hooks import TrialWatch

    folder, store = AttemptFolder(tmp_path / "attempt"), tmp_path / "store"
    training = job.training.model_copy(update={"checkpoints": str(store), "epochs": 3})
    job = job.model_copy(update={"root": folder.root, "training": training})
    folder.root.mkdir()
    for search in (1, 2):
        log = TrialLog(folder.trials)
        assert log.trials == {}
        log.start(0, {"width": 8})
        log.tell(0, 1, 0.5)
        watch = TrialWatch(log, job, Teller(Tuning(trials=2), folder, log))
        # Its process never came up, so Ray did not say before that it began.
        watch.on_trial_error(0, [], SimpleNamespace(config={"number": 1, "settings": {"width": 9}}))
        log.end(0, "failed", "No space left on device")
        (folder.candidates / "trial-0").mkdir(parents=True)
        for name in ("job-trial-0", "job"):
            (store / name).mkdir(parents=True, exist_ok=True)
            (store / name / "state.pt").write_bytes(b"weights")
        with pytest.raises(TrainingFailed, match="none of 2 trials gave a model: No space left"):
            finish(job, log)
        assert len(folder.read_epochs()) == search
        reasons = [t.reason for t in read_trials(folder.failed_trials)]
        assert reasons == ["No space left on device", "its process died too often"]
        assert list(folder.candidates.iterdir()) == []
        assert [path.name for path in store.iterdir()] == ["job"]
