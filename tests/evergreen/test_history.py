"""Who was champion at a moment; what was undone never was."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path

import pytest

from evergreen.history import describe_history, describe_moment, read_moment, show_history, show_moment
from pipelines.errors import UsageError
from pipelines.home import Home
from pipelines.ledger import Ledger
from pipelines.records import Attempt, GateVerdict, Promotion, Snapshot, TrainOutcome
from pipelines.registration import open_pipeline

PASSED = [GateVerdict(name="baseline", verdict="pass", reason="better than the mean by 3")]


def promote(ledger: Ledger, version: int, previous: int | None, day: int, by: str | None = None) -> Promotion:
    name = f"rides-{version}"
    snapshot = Snapshot(pipeline="rides", uri="rows", version=1, rows=10, fingerprint="f")
    ledger.start_attempt(Attempt(id=name, pipeline="rides", snapshot=snapshot, folder="a"), {}, {})
    told = TrainOutcome(status="promoted", pipeline="rides", attempt=name, gates=PASSED)
    row = Promotion(
        pipeline="rides",
        seq=0,
        version=version,
        previous=previous,
        attempt=name,
        cause="c",
        why=f"reason {version}",
        since=datetime(2026, 5, day, 12),
        approved_by=by,
    )
    return ledger.promote(row, told)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """Version 1 from 1 May on, version 2 undone on the 3rd, version 3 from the 5th on."""
    home = Home(tmp_path)
    plain = {
        "pipeline": "rides",
        "task": "regression",
        "metric": "rmse",
        "data": {"source": "a.csv", "target": "y"},
    }
    columns = {"columns": {"x": {"type": "number"}, "y": {"type": "number"}}}
    (home.root / "rides.yaml").write_text(json.dumps(plain | columns))
    open_pipeline(home, str(home.root / "rides.yaml"))
    return home


@pytest.fixture
def reigns(home: Home) -> Home:
    ledger = Ledger.open(home)
    ledger.confirm(promote(ledger, 1, None, 1))
    ledger.revert(promote(ledger, 2, 1, 3), "it did not load", None)
    ledger.confirm(promote(ledger, 3, 1, 5, "ada"))
    return home


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("2026-05-01T12:00", 1),
        ("2026-05-03T13:00", 1),
        ("2026-05-05T14:00+02:00", 3),
        ("2026-05-05T13:59+02:00", 1),
        ("2026-05-05T12:00:00Z", 3),
        ("2026-05-06", 3),
    ],
)
def test_the_champion_of_a_moment(reigns: Home, text: str, version: int) -> None:
    found = describe_moment(reigns, "rides", read_moment(text))
    assert found["champion"]["version"] == version
    assert found["champion"]["gates"] == [PASSED[0].model_dump()]


def test_before_the_first_champion_there_was_none(
    home: Home, reigns: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    found = describe_moment(reigns, "rides", read_moment("2026-05-01T11:59"))
    assert found["champion"] is None
    assert found["at"] == "2026-05-01T11:59:00"
    show_moment(found)
    said = " ".join(capsys.readouterr().out.split())
    words = "the first, version 1, came at 2026-05-01 12:00:00 UTC."
    assert said == f"At 2026-05-01 11:59:00 UTC rides had no champion: {words}"


def test_a_pipeline_that_never_had_one(home: Home) -> None:
    assert (
        describe_moment(home, "rides", read_moment("2026-05-01"))["words"] == "rides has had no champion yet."
    )


@pytest.mark.parametrize(
    ("text", "words"),
    [("soon", "is no moment"), ("2999-01-01", "lies ahead"), ("0001-01-01T00:00+02:00", "is no moment")],
)
def test_what_is_no_moment_of_the_past(text: str, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        read_moment(text)


def test_the_history_tells_who_approved_and_what_was_undone(
    reigns: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    answer = describe_history(reigns, "rides")
    assert [(c["version"], c["until"], c["approved_by"]) for c in answer["champions"]] == [
        (1, "2026-05-05T12:00:00", None),
        (3, None, "ada"),
    ]
    assert [(u["version"], u["why"]) for u in answer["undone"]] == [(2, "it did not load")]
    assert [a["status"] for a in answer["attempts"]] == ["promoted", "reverted", "promoted"]
    show_history(answer)
    show_moment(describe_moment(reigns, "rides", read_moment("2026-05-06")))
    said = capsys.readouterr().out
    assert "ada" in said
    assert "Undone promotions" in said
