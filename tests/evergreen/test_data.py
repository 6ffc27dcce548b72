"""`evergreen data` lists versions, shows their columns and what changed, and names what there is to name."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import yaml

from evergreen.data import Action, data
from pipelines.data.storage.tables import open_table, write_rows
from pipelines.errors import UsageError
from pipelines.home import Home
from pipelines.ledger import Ledger
from pipelines.records import Batch, SourceRead, ValidationReport
from tests.evergreen.conftest import Say

EVIL = "\x1b[31mred[bold]\x07"


def table(rows: int, seed: int) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "at": pd.date_range("2025-01-01", periods=rows, freq="h").astype("M8[us]"),
            "size": np.where(rng.random(rows) < 0.1, np.nan, rng.normal(size=rows)),
            "colour": rng.choice(["blue", EVIL], rows),
            "sold": rng.choice(["yes", "no"], rows),
        }
    )


def keep(home: Home, frame: pd.DataFrame, batch: str) -> None:
    """Write a batch as ingestion does: rows, and a row of the ledger."""
    rows = frame.assign(_row=np.arange(len(frame)), _seq=np.arange(len(frame)), _batch=batch)
    path = home.pipeline("shop").rows
    write_rows(path, pa.Table.from_pandas(rows, preserve_index=False))
    version = open_table(path).version()  # type: ignore[union-attr]
    source = SourceRead(uri=f"/somewhere/{batch}.csv", stamp="1", rows=len(frame) + 3)
    taken = Batch(pipeline="shop", id=batch, folder="gone", rows=len(frame) + 3, known=0, sources=[source])
    ledger = Ledger.open(home)
    ledger.open_intake(taken)
    report = ValidationReport(pipeline="shop", batch=batch, rows=len(frame) + 3, quarantined=3, results=[])
    ledger.close_intake(report, "accepted", version)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a pipeline of two snapshots."""
    folder = tmp_path_factory.mktemp("a shop")
    definition = {
        "pipeline": "shop",
        "task": "binary",
        "metric": "auc",
        "data": {"source": "shop.csv", "target": "sold", "timestamp": "at"},
        "columns": {name: {"type": kind} for name, kind in TYPES.items()},
    }
    (folder / "pipeline.yaml").write_text(yaml.safe_dump(definition))
    home = Home(folder / ".evergreen")
    Ledger.open(home).name_pipeline("shop", folder / "pipeline.yaml")
    keep(home, table(300, 1), "monday")
    keep(home, table(100, 2).assign(size=9.0), "tuesday")
    return folder


TYPES = {"at": "time", "size": "number", "colour": "category", "sold": "category"}


def ask(*words: str) -> dict[str, Any]:
    """The answer of a call in this process."""
    answer, show, code = data("shop", Action(words[0]), list(words[1:]))
    show()
    assert code == 0
    return json.loads(json.dumps(answer))  # type: ignore[no-any-return]


@pytest.fixture(autouse=True)
def wide(monkeypatch: pytest.MonkeyPatch, shop: Path) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("EVERGREEN_HOME", str(shop / ".evergreen"))


def test_the_versions_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    first, second = ask("list")["versions"]
    assert (first["version"], first["rows"], first["batches"]) == (0, 300, ["monday"])
    assert (second["version"], second["rows"], second["sources"]) == (1, 400, ["/somewhere/tuesday.csv"])
    assert (second["quarantined"], second["complete"]) == (3, True)
    assert datetime.fromisoformat(second["written"]).tzinfo == UTC
    assert "tuesday.csv" in capsys.readouterr().out


def test_a_version_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    answer = ask("show", "0")
    assert (answer["snapshot"], answer["rows"], answer["positive"]) == ("shop@0", 300, "yes")
    assert answer["columns"]["at"]["least"] == datetime(2025, 1, 1, tzinfo=UTC).timestamp()
    assert (ask("show")["rows"], ask("show", "shop@1")["rows"]) == (400, 400)
    said = capsys.readouterr().out
    assert "2025-01-01" in said
    assert r"\x1b[31mred[bold]\x07" in said
    assert {"\x1b", "\x07"} & set(said) == set()


def test_what_changed_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    answer = ask("diff", "0", "shop@1")
    assert (answer["from"], answer["to"]) == ("shop@0", "shop@1")
    assert (answer["rows_before"], answer["rows_after"]) == (300, 400)
    assert answer["columns"][0]["name"] == "size"
    assert answer["columns"][0]["distance"] > 0.2
    assert "(+100)" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["show", "7"], "versions: 0, 1"),
        (["show", "other@1"], "versions: 0, 1"),
        (["show", "-1"], "versions: 0, 1"),
        (["diff", "1"], "2 versions"),
        (["list", "1"], "0 versions"),
    ],
)
def test_names_that_do_not_fit(words: list[str], told: str) -> None:
    with pytest.raises(UsageError, match=told):
        ask(*words)


def test_vacuum_keeps_what_is_young(capsys: pytest.CaptureFixture[str]) -> None:
    answer = ask("vacuum")
    assert (answer["kept"], answer["gone"], answer["files"]) == ([0, 1], [], 0)
    assert "Kept: 0, 1." in capsys.readouterr().out


def test_without_data_there_is_nothing_to_show(
    tmp_path: Path, shop: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("EVERGREEN_HOME", str(tmp_path))
    Ledger.open(Home(tmp_path)).name_pipeline("shop", shop / "pipeline.yaml")
    assert ask("list")["versions"] == []
    assert "no data yet" in capsys.readouterr().out
    with pytest.raises(UsageError, match="no data yet"):
        ask("show")


@pytest.mark.parametrize(
    ("words", "code", "key"), [(["diff", "0", "1"], 0, "columns"), (["shout"], 2, "error")]
)
def test_a_script_reads_one_object(say: Say, shop: Path, words: list[str], code: int, key: str) -> None:
    said = say(shop, "data", "shop", *words)
    assert (said.code, key in said.answer) == (code, True)
