"""`evergreen trace` as a person and as a script see it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from rich.console import Console

from evergreen.trace import draw
from pipelines.home import Home
from pipelines.ledger import Ledger
from pipelines.lineage import trace
from pipelines.records import (
    Attempt,
    Batch,
    Cause,
    GateVerdict,
    RuleResult,
    Snapshot,
    SourceRead,
    TrainOutcome,
    ValidationReport,
)
from tests.evergreen.conftest import Evergreen, Say

NASTY = "[red]day[/red]\x1b[31m\n1.csv"  # markup, a terminal escape and a line break in a file's name


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """One batch of a file with a nasty name, a check that two rows broke, and the attempt on it."""
    made = Home(tmp_path_factory.mktemp("home"))
    ledger = Ledger.open(made)
    ledger.name_pipeline("trips", Path("trips.yaml"))
    source = SourceRead(uri=f"/data/{NASTY}", stamp="s", rows=1200, found={"delimiter": ";"})
    ledger.open_intake(Batch(pipeline="trips", id="b0aa", folder="f", rows=1200, known=0, sources=[source]))
    broken = RuleResult(
        rule="between", column="x", on_failure="warn", passed=False, unexpected=2, message="[bold]2 rows"
    )
    report = ValidationReport(pipeline="trips", batch="b0aa", rows=1200, quarantined=2, results=[broken])
    ledger.close_intake(report, "accepted", 0)
    cause = Cause(
        id="c001",
        pipeline="trips",
        kind="person",
        reason="new\x07rows",
        version=None,
        created=ledger.intakes("trips")[0].created,
    )
    ledger.add_cause(cause)
    snapshot = Snapshot(pipeline="trips", uri="rows", version=0, rows=1198, fingerprint="f1f2")
    ledger.start_attempt(
        Attempt(id="trips-1a2b", pipeline="trips", snapshot=snapshot, folder="a", cause="c001"),
        {},
        {},
    )
    gate = GateVerdict(name="baseline", verdict="fail", reason="worse than the mean")
    ledger.finish_attempt(
        TrainOutcome(status="rejected", pipeline="trips", attempt="trips-1a2b", gates=[gate])
    )
    return made


def drawn(home: Home, name: str) -> str:
    console = Console(width=200, record=True, file=sys.stderr)
    console.print(draw(trace(home, name)))
    return console.export_text()


def test_a_tree_from_an_attempt_up_to_its_file(home: Home) -> None:
    text = drawn(home, "trips-1a2b")
    lines = [
        "attempt trips-1a2b of trips",
        "attempt trips-1a2b: rejected, on snapshot trips@0",
        "cause c001 (person): newrows",
        "gate baseline: fail; worse than the mean",
        "snapshot trips@0: 1,198 rows, fingerprint f1f2",
        "read 1,200 = 0 known + 1,198 accepted + 2 quarantined + 0 refused",
        "source /data/[red]day[/red][31m 1.csv: 1,200 rows, stamp s; delimiter ;",
        "check, warn: [bold]2 rows",
    ]
    places = [text.find(line) for line in lines]
    assert -1 not in places, lines[places.index(-1)]
    assert places == sorted(places)
    assert "\x1b" not in text
    assert "\x07" not in text


def test_a_tree_from_a_batch_down_to_what_came_of_it(home: Home) -> None:
    text = drawn(home, "b0aa")
    assert text.index("what came of it") < text.index("attempt trips-1a2b: rejected")


def test_a_script_gets_all_of_it(home: Home, say: Say) -> None:
    said = say(home.root, "trace", "trips@0", "--home", str(home.root))
    answer = said.answer
    assert (said.code, answer["kind"], answer["snapshot"]["rows"]) == (0, "snapshot", 1198)
    assert answer["batches"][0]["counts"] == {
        "read": 1200,
        "known": 0,
        "accepted": 1198,
        "quarantined": 2,
        "refused": 0,
    }
    assert answer["batches"][0]["sources"][0]["uri"] == f"/data/{NASTY}"
    assert [use["attempt"]["id"] for use in answer["used_by"]] == ["trips-1a2b"]


def test_an_unknown_id_is_an_answer(home: Home, say: Say, evergreen: Evergreen) -> None:
    said = say(home.root, "trace", "trips@5", "--home", str(home.root))
    error = said.answer["error"]
    assert (said.code, error["type"]) == (2, "UsageError")
    assert "'trips@0'" in error["hint"]
    person = evergreen(home.root, "trace", "trips-1", "--kind", "batch", "--home", home.root)
    assert (person.code, person.out) == (2, "")
    assert "Nothing here has the id" in person.err
