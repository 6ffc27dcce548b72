"""A Prefect that is slow holds up no training, and gets the latest epoch."""

from __future__ import annotations

import threading
from contextvars import ContextVar
from typing import Any
from uuid import uuid4

import pytest

from pipelines.records import Attempt, Snapshot
from tasks.training import EpochArtifact

RUN = ContextVar("RUN", default="none")  # as Prefect keeps the run that an artifact belongs to


@pytest.fixture
def page() -> EpochArtifact:
    snapshot = Snapshot(pipeline="trips", uri="", version=0, rows=9, fingerprint="f")
    return EpochArtifact(Attempt(id="trips-1", pipeline="trips", snapshot=snapshot, folder="/nowhere"))


class Server:
    """Prefect's, which answers when it is told to: no real one does."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.asked, self.free = threading.Event(), threading.Event()
        self.told: list[tuple[str, Any]] = []
        monkeypatch.setattr("prefect.artifacts.create_progress_artifact", self.create)
        monkeypatch.setattr("prefect.artifacts.update_progress_artifact", self.update)
        monkeypatch.setattr("prefect.artifacts.create_markdown_artifact", self.table)

    def create(self, percent: float, key: str, description: str) -> Any:
        self.asked.set()
        assert self.free.wait(60)
        self.told.append((key, (percent, RUN.get())))
        return uuid4()

    def update(self, artifact: Any, percent: float, description: str) -> None:
        self.told.append(("update", (percent, description[:12])))

    def table(self, text: str, key: str, description: str) -> None:
        self.told.append((key, text.count("| mlp |")))


def told(epoch: int) -> dict[str, Any]:
    row = {"model": "mlp", "epoch": epoch, "epochs": 10, "loss": 0.5, "samples_per_second": 9}
    return {**row, "seconds": 1.0}


def test_a_server_that_hangs_holds_up_nobody(page: EpochArtifact, monkeypatch: pytest.MonkeyPatch) -> None:
    server = Server(monkeypatch)
    RUN.set("mine")
    page([told(1)])
    with page:
        assert server.asked.wait(60)
        page([told(2)])  # returns, although nobody has answered
        page([told(3)])
        server.free.set()
    assert server.told == [
        ("trips-training", (10.0, "mine")),
        ("update", (100.0, "Done; last: ")),
        ("trips-training-epochs", 3),
    ]


def test_a_server_that_refuses_costs_the_table_alone(
    page: EpochArtifact, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(*words: Any, **more: Any) -> None:
        raise ConnectionError("nobody is there")

    monkeypatch.setattr("prefect.artifacts.create_progress_artifact", refuse)
    with caplog.at_level("WARNING", logger="evergreen"), page:
        page([told(1)])
    assert [r.getMessage() for r in caplog.records] == [
        "Prefect does not show the epochs: ConnectionError: nobody is there"
    ]
