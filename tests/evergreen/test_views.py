"""Where the rows went is said wherever a batch is named."""

from __future__ import annotations

import json

import pytest

from evergreen import views
from evergreen.history import describe_history, show_history
from pipelines.home import Home
from pipelines.ledger import Ledger
from pipelines.records import Batch, SourceRead, TrainOutcome, ValidationReport
from pipelines.registration import open_pipeline

WORDS = "read 1,200 = 100 known + 1,080 accepted + 20 quarantined + 0 refused"
COUNTS = {"read": 1200, "known": 100, "accepted": 1080, "quarantined": 20, "refused": 0}


@pytest.fixture
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A judged batch, and one that waits for its checks."""
    made = Home(tmp_path_factory.mktemp("home"))
    path = made.root / "rides.yaml"
    plain = {
        "pipeline": "rides",
        "task": "binary",
        "metric": "auc",
        "data": {"source": "a.csv", "target": "y"},
    }
    path.write_text(json.dumps({**plain, "columns": {"x": {"type": "number"}, "y": {"type": "category"}}}))
    open_pipeline(made, str(path))
    ledger = Ledger.open(made)
    for name, rows in (("b1", 1100), ("b2", 5)):
        source = SourceRead(uri=f"/data/{name}.csv", stamp="s", rows=rows)
        ledger.open_intake(
            Batch(pipeline="rides", id=name, folder="f", rows=rows, known=100, sources=[source])
        )
    report = ValidationReport(pipeline="rides", batch="b1", rows=1100, quarantined=20, results=[])
    ledger.close_intake(report, "accepted", 3)
    return made


def one_line(capsys: pytest.CaptureFixture[str]) -> str:
    """What was printed, as if the terminal were wide."""
    return " ".join(capsys.readouterr().out.replace("│", " ").split())


def test_history_has_the_batches(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    answer = describe_history(home, "rides")
    judged, waiting = answer["batches"]
    assert (judged["id"], judged["version"], judged["rows"]) == ("b1", 3, COUNTS)
    assert (judged["state"], judged["sources"]) == ("accepted", ["/data/b1.csv"])
    assert (waiting["state"], waiting["rows"]) == ("staged", None)
    show_history(answer)
    said = one_line(capsys)
    assert [words for words in ("read 1,200", "1,080", "staged") if words not in said] == []


def test_status_has_the_last_batch(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    answer = views.describe_status(home)
    assert answer["pipelines"][0]["last_batch"]["id"] == "b2"
    Ledger.open(home).name_pipeline("shop", home.root / "shop.yaml")
    views.show_status(views.describe_status(home))
    said = capsys.readouterr().out
    assert "staged" in said
    assert "none yet" in said
    assert views.batch_words(views.describe_batches(Ledger.open(home), "rides")[0]).endswith(WORDS)


def test_a_run_has_the_arithmetic_of_what_it_read(capsys: pytest.CaptureFixture[str]) -> None:
    dataset: dict[str, str | int] = {"id": "rides@3", "version": 3, "rows": 5000, **COUNTS}
    views.show_outcome(TrainOutcome(status="promoted", pipeline="rides", dataset=dataset))
    said = one_line(capsys)
    assert "rides@3: 5,000 rows" in said
    assert "1,080 accepted" in said
    views.show_outcome(TrainOutcome(status="refused", pipeline="rides"))
