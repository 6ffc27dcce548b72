"""The training flow whose champion is another by the time it would promote: it is judged against that one."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from evergreen.stack import prefect_settings
from pipelines.environment import child_environment
from pipelines.home import Home
from pipelines.ledger import Ledger
from pipelines.registry.mlflow_store import connect
from tests.pipelines.conftest import definition, trips

TRAIN = """
import json, sys
from flows import training
from pipelines.home import Home
from pipelines.ledger import Ledger
from pipelines.promotion.transaction import promote
from pipelines.records import Promotion
from pipelines.registry.mlflow_store import connect

home, first = Home.at(), json.loads(sys.argv[3])
register = training.register_version

def register_and_lose(*words):
    # Another training, of the same model as the champion, is promoted in this very moment.
    version = register(*words)
    ledger, client = Ledger.open(home), connect(home)
    old = ledger.champion("trips")
    if old and old.version == 1:
        source = client.get_model_version("trips", "1").source
        other = int(client.create_model_version("trips", source).version)
        stored = ledger.attempt(old.attempt)
        twin = stored.attempt.model_copy(update={"id": "trips-twin"})
        ledger.start_attempt(twin, stored.config, {})
        ledger.record_version("trips-twin", ledger.trained("trips", 1), other)
        changes = {"version": other, "previous": 1, "attempt": "trips-twin", "why": "it was quicker"}
        promote(home, old.model_copy(update=changes))
    return version

if not first:
    training.register_version = register_and_lose
outcome = training.training(sys.argv[1], data=sys.argv[2])
print(json.dumps(outcome.model_dump(mode="json")))
"""


def train(folder: Path, file: str, first: bool) -> dict[str, Any]:
    """Run the flow, without a stack, in a process of its own."""
    settings = prefect_settings(Home(folder / "home"))  # the server that Prefect starts has its time
    command = [sys.executable, "-c", TRAIN, str(folder / "pipeline.yaml"), file, json.dumps(first)]
    done = subprocess.run(
        command, env=child_environment(settings), capture_output=True, text=True, check=False, cwd=folder
    )
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


@pytest.mark.faults
def test_who_lost_the_race_is_judged_against_the_winner(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And is told of an alias that somebody took away before."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "")
    home = Home(tmp_path / "home")
    home.prefect.mkdir(parents=True)
    for number in (1, 2):
        trips(600, seed=number).to_csv(tmp_path / f"{number}.csv", index=False)
    config = definition(
        data={"source": "1.csv", "target": "y"},
        split={"by": "random"},
        model={"kind": "linear"},
        gates={"champion": {"margin": "20 %"}},  # whom it is judged against is the matter, not how well
    )
    (tmp_path / "pipeline.yaml").write_text(config.model_dump_json(exclude={"folder"}))
    assert train(tmp_path, str(tmp_path / "1.csv"), True)["status"] == "promoted"
    connect(home).delete_registered_model_alias("trips", "champion")
    second = train(tmp_path, str(tmp_path / "2.csv"), False)
    ledger = Ledger.open(home)
    assert "taken away in MLflow; version 1 is champion" in second["warnings"][0]
    assert sorted(card.stem for card in home.pipeline("trips").reports.glob("cards/*.md")) == ["1", "2", "3"]
    [gate] = [gate["reason"] for gate in second["gates"] if gate["name"] == "champion"]
    assert "(champion, version 3)" in gate, second
    assert second["status"] == "promoted"
    assert [(p.version, p.previous) for p in ledger.champions("trips")] == [(1, None), (3, 1), (2, 3)]
    assert [p.state for p in ledger.promotions("trips")] == ["confirmed"] * 3
