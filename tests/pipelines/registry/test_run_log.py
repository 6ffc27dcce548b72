"""A real MLflow server, stopped while a training tells its epochs and started again: nothing is lost."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pipelines.home import Home
from pipelines.records import Attempt, Snapshot
from pipelines.registry import run_log
from pipelines.registry.mlflow_store import connect, log_metrics
from pipelines.registry.run_log import RunLog, all_epochs, find_run, open_run
from pipelines.training.folder import AttemptFolder
from pipelines.training.usage import Meter
from tests.pipelines.registry.server import Server
from tests.waiting import until

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    made = Server(tmp_path_factory.mktemp("mlflow"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", made.uri)
        patch.setattr(run_log, "SECONDS", 0.2)
        made.start()
        yield made
        made.stop()


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "home")


def an_attempt(home: Home, name: str) -> Attempt:
    snapshot = Snapshot(pipeline="trips", uri=str(home.root / "rows"), version=0, rows=9, fingerprint="f")
    attempt = Attempt(id=f"trips-{name}", pipeline="trips", snapshot=snapshot, folder=str(home.root / name))
    Path(attempt.folder).mkdir(parents=True)
    return attempt


def told(epoch: int, model: str = "mlp") -> dict[str, Any]:
    """An epoch as rank 0 tells it; with whole numbers, so that each is found again."""
    device = {"cpu_percent": 50.0 + epoch, "memory_bytes": 2_000_000_000, "gpu_percent": 30.0}
    return {
        "model": model,
        "epoch": epoch,
        "epochs": 9,
        "loss": 10.0 - epoch,
        "validation": 20.0 - epoch,
        "metric": "rmse",
        "score": 5.0 - epoch / 2,
        "seconds": 1.0,
        "samples_per_second": 1000,
        "time": 1.7e9 + epoch,
        "device": device,
    }


def course(home: Home, run_id: str, name: str) -> list[tuple[int, float]]:
    history = connect(home).get_metric_history(run_id, name)
    return sorted((metric.step, metric.value) for metric in history)


def test_the_run_is_there_from_the_start_and_follows(server: Server, home: Home, define: Any) -> None:
    attempt = an_attempt(home, "a")
    with RunLog(define(), home, attempt) as watch:
        until(lambda: find_run(connect(home), home, attempt))
        watch([told(1), told(2, "mlp tuned"), told(1, "mlp refit")])
    run = find_run(connect(home), home, attempt)
    assert run is not None
    assert (run.info.status, run.info.run_name) == ("FINISHED", "trips-a")
    assert run.data.params["model.kind"] == "mlp"
    assert course(home, run.info.run_id, "train_loss") == [(1, 9.0), (2, 8.0)]
    assert course(home, run.info.run_id, "validation_rmse") == [(1, 4.5), (2, 4.0)]
    assert course(home, run.info.run_id, "mlp refit/train_loss") == [(1, 9.0)]
    assert run.data.metrics["system/cpu_utilization_percentage"] == 51.0
    assert run.data.metrics["system/system_memory_usage_megabytes"] == 2000.0
    assert run.data.metrics["system/gpu_0_utilization_percentage"] == 30.0
    assert len(run.inputs.dataset_inputs) == 1


def test_nothing_is_lost_while_the_server_is_away(server: Server, home: Home, define: Any) -> None:
    attempt = an_attempt(home, "b")
    with RunLog(define(), home, attempt) as watch:
        watch([told(1)])
        sent = until(lambda: find_run(connect(home), home, attempt)).info.run_id
        until(lambda: course(home, sent, "train_loss"))  # its request is not cut off by the stop
        server.stop()
        for epoch in (2, 3):
            watch([told(epoch)])
        server.start()
        watch([told(4)])
    run = find_run(connect(home), home, attempt)
    assert run is not None
    assert course(home, run.info.run_id, "train_loss") == [(1, 9.0), (2, 8.0), (3, 7.0), (4, 6.0)]


def test_what_was_not_sent_is_added_once(server: Server, home: Home, define: Any) -> None:
    """A flow that was killed has sent a part; what lies in the attempt's folder is the whole."""
    attempt, config = an_attempt(home, "c"), define()
    with RunLog(config, home, attempt) as watch:
        watch([told(1), told(2)])
    lines = [told(1), told(2), told(2) | {"time": 1.8e9}, told(3)]  # one was repeated after a crash
    AttemptFolder.of(attempt).progress.write_text("".join(f"{line}\n" for line in map(json.dumps, lines)))
    client = connect(home)
    run_id = open_run(client, config, home, attempt)
    for _ in range(2):
        log_metrics(client, run_id, all_epochs(config, attempt))
    assert course(home, run_id, "train_loss") == [(1, 9.0), (2, 8.0), (3, 7.0)]
    experiment = client.get_run(run_id).info.experiment_id
    assert len(client.search_runs([experiment], "tags.`evergreen.attempt` = 'trips-c'")) == 1


@pytest.mark.parametrize(("error", "status"), [(ValueError, "FAILED"), (KeyboardInterrupt, "KILLED")])
def test_how_it_ended_is_said_with_its_cost(
    server: Server, home: Home, define: Any, error: type[BaseException], status: str
) -> None:
    attempt, config = an_attempt(home, status.lower()), define(prices={"cpu_hour": 1000})
    with Meter(AttemptFolder.of(attempt), "driver"):
        sum(range(1_000_000))
    with pytest.raises(error, match="the reason"), RunLog(config, home, attempt):
        raise error("the reason")
    run = find_run(connect(home), home, attempt)
    assert run is not None
    assert (run.info.status, run.data.tags["evergreen.reason"]) == (status, "the reason")
    assert run.data.metrics["cost/cpu_seconds"] > 0
    assert run.data.metrics["cost/money"] > 0
    with RunLog(config, home, attempt):  # tried again
        pass
    again = find_run(connect(home), home, attempt)
    assert again is not None
    assert (again.info.run_id, again.info.status) == (run.info.run_id, "FINISHED")
    assert "evergreen.reason" not in again.data.tags
