"""A user's own flow, composed from our tasks: from a definition to a champion, and its picture."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from prefect.client.orchestration import get_client

from examples.rides import generate as rides
from examples.two_models import two_models
from pipelines.home import Home
from pipelines.ledger import Ledger
from pipelines.records import TrainOutcome

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
NAME = "rides-two-models"


@pytest.fixture(scope="module")
def definition(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three weeks of rides, and the example's definition with little training."""
    folder = tmp_path_factory.mktemp("rides")
    for week in (1, 2, 3):
        rides.write_week(folder, week)
    words = yaml.safe_load((ROOT / "examples/rides/pipeline.yaml").read_text())
    words |= {"split": {"by": "time", "validation": 0.1, "test": 0.1}, "training": {"epochs": 4}}
    path = folder / "pipeline.yaml"
    path.write_text(yaml.safe_dump(words))
    return path


@pytest.fixture(scope="module")
def run(definition: Path, prefect_server: None, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The final state of one run of the flow in a home of its own."""
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EVERGREEN_HOME", str(home))
        yield Home.at(), two_models(str(definition), return_state=True)


@pytest.fixture(scope="module")
def outcome(run: tuple[Home, Any]) -> TrainOutcome:
    found: TrainOutcome = run[1].result()
    return found


def test_the_better_one_is_let_in(run: tuple[Home, Any], outcome: TrainOutcome) -> None:
    ledger = Ledger.open(run[0])
    assert outcome.status == "promoted"
    assert [p.attempt for p in ledger.champions(NAME)] == [outcome.attempt]
    assert [s.version for s in ledger.served()] == [1]


def test_both_kinds_were_trained_side_by_side(run: tuple[Home, Any]) -> None:
    home, state = run
    folders = [f for f in home.pipeline(NAME).attempts.iterdir() if (f / "result.json").exists()]
    assert len(folders) == 2
    fits = [n for n in picture(state).values() if n["label"].startswith("fit-")]
    spans = [(datetime.fromisoformat(n["start_time"]), datetime.fromisoformat(n["end_time"])) for n in fits]
    assert max(start for start, _ in spans) < min(end for _, end in spans)


def test_the_new_column_is_learnt_from(run: tuple[Home, Any]) -> None:
    definition = Ledger.open(run[0]).definition(NAME)
    assert "rush_hour" in yaml.safe_load(definition.read_text())["columns"]


def test_the_graph_is_as_one_would_draw_it(run: tuple[Home, Any]) -> None:
    nodes = picture(run[1])
    parents = {
        node["label"].split("-")[0]: {nodes[p["id"]]["label"].split("-")[0] for p in node["parents"]}
        for node in nodes.values()
    }
    wanted = {
        "enrich": set(),
        "ingest": {"enrich"},
        "validate": {"ingest"},
        "snapshot": {"ingest", "validate"},
        "fit": {"snapshot"},
        "evaluate": {"snapshot", "fit"},
        "log": {"evaluate", "fit", "snapshot"},
        "register": {"log", "evaluate", "fit", "snapshot"},
        "promote": {"register", "evaluate", "snapshot"},  # the outcome is stored with it
    }
    assert {name: parents[name] for name in wanted} == wanted
    labels = [node["label"] for node in nodes.values()]
    assert sum(label.startswith("fit-") for label in labels) == labels.count("evaluate") == 2


def test_the_same_data_again_trains_nothing(
    run: tuple[Home, Any], definition: Path, outcome: TrainOutcome
) -> None:
    again = two_models(str(definition))
    assert (again.status, again.attempt) == ("reused", outcome.attempt)
    assert len(Ledger.open(run[0]).champions(NAME)) == 1


def picture(state: Any) -> dict[str, dict[str, Any]]:
    """The nodes of a flow run as Prefect's UI draws them, by id."""
    with get_client(sync_client=True) as client:
        answer = client._client.get(f"/flow_runs/{state.state_details.flow_run_id}/graph-v2")
    return dict(answer.raise_for_status().json()["nodes"])
