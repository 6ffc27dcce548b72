"""A real server on a free port, with a model that is simple enough to know each answer beforehand."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pandas as pd
import pytest
import uvicorn

from pipelines.config import ColumnType
from pipelines.records import ServedModel, Task
from pipelines.serving.app import create_app
from pipelines.serving.prediction_sink import PredictionSink
from tests.waiting import PATIENCE, until

TOKEN = "let-me-in"


@dataclass
class StandIn:
    """A model that answers x * 100 + version; x = -1 breaks it; a missing x counts as 0."""

    version: int
    task: Task = "regression"
    features: list[str] = field(default_factory=lambda: ["x", "zone"])
    inputs: list[str] = field(default_factory=lambda: ["x", "zone"])
    timestamp: str | None = "at"
    column_types: dict[str, ColumnType] = field(
        default_factory=lambda: {"x": "number", "zone": "category", "at": "time"}
    )
    calls: list[int] = field(default_factory=list)

    def predict(self, frame: pd.DataFrame) -> pd.DataFrame:
        self.calls.append(len(frame))
        if (frame["x"] == -1).any():
            raise ValueError("minus one, with the row's own values in it")
        return pd.DataFrame({"prediction": frame["x"].fillna(0) * 100 + self.version})


@dataclass
class Running:
    """A service under test: its address, what it is to serve, and what it logged."""

    url: str
    wanted: list[ServedModel]
    logged: list[pd.DataFrame]
    sink: PredictionSink
    server: uvicorn.Server
    thread: threading.Thread
    http: httpx.Client = field(default_factory=lambda: httpx.Client(timeout=20))

    def post(self, rows: Any, name: str = "rides", token: str = TOKEN) -> httpx.Response:
        return self.send(name, token, json={"rows": rows})

    def send(self, name: str = "rides", token: str = TOKEN, **content: Any) -> httpx.Response:
        headers = {"Authorization": f"Bearer {token}"}
        return self.http.post(f"{self.url}/pipelines/{name}/predictions", headers=headers, **content)

    def want(self, version: int, name: str = "rides") -> None:
        others = [model for model in self.wanted if model.pipeline != name]
        self.wanted[:] = [*others, ServedModel(pipeline=name, version=version, folder=str(version), files={})]

    def wait_for(self, version: int, name: str = "rides") -> None:
        until(lambda: self.health()["versions"].get(name) == version)

    def health(self) -> dict[str, Any]:
        return dict(self.http.get(f"{self.url}/health").json())

    def stop(self) -> None:
        self.server.should_exit = True
        self.thread.join(PATIENCE)
        assert not self.thread.is_alive()


Start = Callable[..., Running]


def stand_in(folder: Path, _files: dict[str, str]) -> StandIn:
    """Load the version that the folder is named for."""
    return StandIn(int(folder.name))


@pytest.fixture
def start() -> Iterator[Start]:
    """Start a service: `start(load=..., most_waiting=...)`; stopped at the end of the test."""
    running: list[Running] = []

    def begin(load: Any = stand_in, version: int | None = 1, **options: Any) -> Running:
        logged: list[pd.DataFrame] = []
        wanted: list[ServedModel] = []
        sink = PredictionSink(lambda _name, rows: logged.append(rows), seconds=0.05)
        app = create_app(lambda: list(wanted), sink, TOKEN, poll_seconds=0.02, load=load, **options)
        server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="error", access_log=False))
        thread = threading.Thread(target=server.run, daemon=True)
        thread.start()
        while not server.started:
            time.sleep(0.01)
        port = server.servers[0].sockets[0].getsockname()[1]
        service = Running(f"http://127.0.0.1:{port}", wanted, logged, sink, server, thread)
        running.append(service)
        if version is not None:
            service.want(version)
            service.wait_for(version)
        return service

    yield begin
    for service in running:
        service.stop()


@pytest.fixture
def load_but() -> Callable[..., Any]:
    """Make a loader that fails for `version`, the first `times`; `before` is called with each version."""

    def make(version: int, times: int = 10**9, before: Callable[[int], object] = bool) -> Any:
        failed: list[int] = []

        def load(folder: Path, files: dict[str, str]) -> StandIn:
            before(int(folder.name))
            if int(folder.name) == version and len(failed) < times:
                failed.append(version)
                raise OSError("broken bundle")
            return stand_in(folder, files)

        return load

    return make
