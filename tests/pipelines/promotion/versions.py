"""Versions that cost nothing: a number in a file, registered in a real MLflow store and a real ledger."""

from __future__ import annotations

import contextlib
import json
import math
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from pipelines.clock import now
from pipelines.config import ColumnType, PipelineConfig
from pipelines.home import Home
from pipelines.ledger import Ledger
from pipelines.models.bundle import check_hashes, hash_files
from pipelines.records import Attempt, Promotion, Snapshot, Task, TrainedModel, TrainOutcome
from pipelines.registry.mlflow_store import connect, ensure_model
from pipelines.serving.access import service_token

NAME = "trips"
TYPES: dict[str, ColumnType] = {"x": "number"}
CONFIG = PipelineConfig.model_validate(
    {
        "pipeline": NAME,
        "task": "regression",
        "metric": "rmse",
        "data": {"source": "trips.csv", "target": "y"},
        "columns": {"x": {"type": "number"}, "y": {"type": "number"}},
    }
)


@dataclass
class Scorer:
    """Answers x + offset."""

    offset: float
    timestamp: str | None = None
    task: Task = "regression"

    @property
    def inputs(self) -> list[str]:
        return list(TYPES)

    features = inputs

    @property
    def column_types(self) -> dict[str, ColumnType]:
        return TYPES

    def predict(self, frame: pd.DataFrame) -> pd.DataFrame:
        return pd.DataFrame({"prediction": frame["x"].fillna(0.0) + self.offset})


def load(folder: Path, files: dict[str, str]) -> Scorer:
    """As `load_bundle`: nothing is read before the hashes agree."""
    check_hashes(folder, files)
    return Scorer(float((folder / "weights").read_text()))


def add_version(
    home: Home, number: int, answers: object = None, types: dict[str, Any] | None = None
) -> TrainedModel:
    """Register version `number`, the next one; it `answers` otherwise than in evaluation where given."""
    folder = home.pipeline(NAME).attempts / f"{NAME}-{number}"
    write_bundle(folder, number if answers is None else answers, types or TYPES)
    write_golden(folder / "smoke", number)
    files = hash_files(folder / "bundle")
    bundle = str(folder / "bundle")
    trained = TrainedModel(attempt=f"{NAME}-{number}", kind="mlp", folder=bundle, files=files, seconds=1.0)
    snapshot = Snapshot(pipeline=NAME, uri="rows", version=number, rows=10, fingerprint="f")
    attempt = Attempt(id=trained.attempt, pipeline=NAME, snapshot=snapshot, folder=str(folder), cause="c")
    client = connect(home)
    ensure_model(client, NAME)
    assert int(client.create_model_version(NAME, (folder / "bundle").as_uri()).version) == number
    ledger = Ledger.open(home)
    ledger.start_attempt(attempt, CONFIG.model_dump(mode="json"), {})
    ledger.record_version(attempt.id, trained, number)
    return trained


def write_bundle(folder: Path, offset: object, types: dict[str, Any]) -> None:
    (folder / "bundle").mkdir(parents=True)
    (folder / "bundle" / "weights").write_text(str(offset))
    description = {"kind": "mlp", "task": "regression", "target": "y", "timestamp": None, "types": types}
    rest = {"classes": [], "bins": [], "cardinalities": [], "model": {}}
    (folder / "bundle" / "model.json").write_text(json.dumps(description | rest))


def write_golden(folder: Path, offset: float) -> None:
    folder.mkdir()
    rows = pd.DataFrame({"x": [1.0, 2.0, None, math.inf], "y": 0.0})
    rows.to_parquet(folder / "rows.parquet")
    Scorer(offset).predict(rows).to_parquet(folder / "expected.parquet")


def plan(version: int, previous: int | None, cause: str | None = "c") -> Promotion:
    return Promotion(
        pipeline=NAME,
        seq=0,
        version=version,
        previous=previous,
        attempt=f"{NAME}-{version}",
        cause=cause,
        why="it is better",
        since=now(),
    )


def told(version: int) -> TrainOutcome:
    """The outcome that is stored with a promotion."""
    return TrainOutcome(status="promoted", pipeline=NAME, attempt=f"{NAME}-{version}")


def aliases(home: Home) -> dict[str, int]:
    found = connect(home).get_registered_model(NAME).aliases
    return {alias: int(version) for alias, version in found.items()}


def serving(home: Home) -> int | None:
    return next((s.version for s in Ledger.open(home).served() if s.pipeline == NAME), None)


@contextlib.contextmanager
def running_service(home: Home) -> Iterator[str]:
    """The prediction service in a thread of this process, quick to follow; its address."""
    import uvicorn

    from pipelines.serving.app import create_app
    from pipelines.serving.prediction_sink import PredictionSink
    from pipelines.serving.server import listen

    logged: list[pd.DataFrame] = []
    sink = PredictionSink(lambda _pipeline, rows: logged.append(rows))
    app = create_app(Ledger.open(home).served, sink, service_token(home), 0.01, load)
    listener = listen(0)
    server = uvicorn.Server(uvicorn.Config(app, log_level="critical", access_log=False))
    thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()
        assert not logged, "golden rows are not logged"
