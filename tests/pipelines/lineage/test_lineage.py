"""From any id, in any spelling, up to the files and down to the predictions."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from deltalake import write_deltalake

from pipelines.data.ingestion.batches import stage_batch
from pipelines.data.predictions.prediction_log import append_labels, append_predictions
from pipelines.data.storage.snapshots import accept_batch
from pipelines.data.storage.tables import write_rows
from pipelines.errors import UsageError
from pipelines.home import Home
from pipelines.ledger import Ledger
from pipelines.lineage import Trace, trace
from pipelines.records import Attempt, Batch, Snapshot, SourceRead, ValidationReport
from pipelines.training.attempts import plan_attempt
from pipelines.validation.batch import validate_batch


def users(found: Trace) -> list[tuple[str, str | None]]:
    return [(use.attempt.id, use.version.id if use.version else None) for use in found.used_by]


# ------------------------------------------------------------------------------------------------ things


def test_from_a_prediction_to_the_files_behind_it(told: Home) -> None:
    found = trace(told, "p-one")
    assert (found.kind, found.pipeline) == ("prediction", "trips")
    said = found.prediction
    assert said is not None
    assert (said.value, said.label, said.probabilities) == ("yes", "no", {"no": 0.25, "yes": 0.75})
    assert (said.inputs, said.version, said.channel) == ({"zone": "north"}, 1, "online")
    assert found.version is not None
    [reign] = found.version.champion
    assert (found.version.id, found.version.predictions, reign.why) == ("trips:1", 3, "it is better")
    assert (reign.since.day, reign.until and reign.until.day) == (6, 7)
    assert found.attempt is not None
    assert found.attempt.cause is not None
    assert (found.attempt.status, found.attempt.cause.kind) == ("promoted", "person")
    assert [gate.verdict for gate in found.attempt.gates] == ["pass"]
    assert sum(found.attempt.seconds.values()) == 3.5
    assert found.snapshot is not None
    assert (found.snapshot.id, found.snapshot.rows, found.snapshot.fingerprint) == ("trips@0", 10, "f1f2")
    [batch] = found.batches
    assert str(batch.counts) == "read 6 = 0 known + 4 accepted + 2 quarantined + 0 refused"
    assert (batch.id, batch.in_snapshot) == ("b0aaaaaaaaaa", 4)
    assert [(s.uri, s.rows, s.found) for s in batch.sources] == [
        ("/data/mon-1.csv", 3, {"format": "csv"}),
        ("/data/mon-2.csv", 3, {"format": "csv"}),
    ]
    assert [(check.rule, check.unexpected) for check in batch.checks] == [("between", 2)]
    assert found.used_by == []


def test_a_prediction_without_a_label_and_with_a_gap(told: Home) -> None:
    said = trace(told, "p-three").prediction
    assert said is not None
    assert (said.label, said.inputs) == (None, {"zone": None})


def test_from_a_file_to_the_predictions_that_it_led_to(told: Home) -> None:
    found = trace(told, "tue.csv")
    assert (found.kind, found.id) == ("source", "/data/tue.csv")
    assert [batch.id for batch in found.batches] == ["b0bbbbbbbbbb"]
    assert users(found) == [("trips-3a2b3c4d", None), ("trips-2a2b3c4d", "trips:2")]
    promoted = found.used_by[1].version
    assert promoted is not None
    assert (promoted.predictions, promoted.champion[0].until) == (1, None)
    assert len(users(trace(told, "mon-2.csv"))) == 3  # it is in both snapshots


def test_a_refused_batch_led_to_nothing(told: Home) -> None:
    found = trace(told, "b0cccccccccc")
    [batch] = found.batches
    assert (batch.state, batch.refused, found.snapshot) == ("refused", "0 of the columns are there", None)
    assert str(batch.counts) == "read 4 = 0 known + 0 accepted + 0 quarantined + 4 refused"
    assert found.used_by == []
    assert trace(told, "wed.csv").used_by == []


def test_from_a_snapshot(told: Home) -> None:
    found = trace(told, "trips@1")
    assert [(batch.id, batch.in_snapshot) for batch in found.batches] == [
        ("b0aaaaaaaaaa", 4),
        ("b0bbbbbbbbbb", 6),
    ]
    assert users(found) == [("trips-3a2b3c4d", None), ("trips-2a2b3c4d", "trips:2")]


def test_from_a_cause(told: Home) -> None:
    found = trace(told, "drift0001")
    assert found.window is not None
    assert found.version is not None
    assert (found.window.verdict, found.version.id) == ("drift", "trips:1")
    assert users(found) == [("trips-3a2b3c4d", None), ("trips-2a2b3c4d", "trips:2")]


def test_an_attempt_without_a_version_has_its_data_all_the_same(told: Home) -> None:
    found = trace(told, "trips-3a2b3c4d")
    assert found.attempt is not None
    assert found.snapshot is not None
    assert (found.version, found.attempt.status, found.snapshot.id) == (None, "rejected", "trips@1")


def test_a_row_back_from_quarantine_is_traced_to_the_batch_that_brought_it_first(home: Home) -> None:
    ledger = Ledger.open(home)
    ledger.name_pipeline("trips", Path("trips.yaml"))
    for name, replays, bad, version in (("first", False, 5, 0), ("again", True, 0, 1)):
        sources = [] if replays else [SourceRead(uri="/data/bad.csv", stamp="s", rows=5)]
        ledger.open_intake(
            Batch(pipeline="trips", id=name, folder="f", rows=5, known=0, sources=sources, replays=replays)
        )
        report = ValidationReport(pipeline="trips", batch=name, rows=5, quarantined=bad, results=[])
        ledger.close_intake(report, "accepted", version)
    assert trace(home, "trips@1").batches[0].id == "again"
    kept = pa.table({"x": [1.0] * 5, "_batch": ["first"] * 5, "_replayed": ["again"] * 5})
    write_rows(home.pipeline("trips").quarantine, kept)
    found = trace(home, "trips@1")
    assert [batch.id for batch in found.batches] == ["first", "again"]
    assert found.batches[1].rows_of == ["first"]
    assert trace(home, "trips@0").batches == []


def test_rows_of_a_batch_that_the_ledger_never_had_are_counted(home: Home) -> None:
    ledger = Ledger.open(home)
    ledger.name_pipeline("trips", Path("trips.yaml"))
    path = str(home.pipeline("trips").rows)
    write_deltalake(path, pa.table({"x": [1.0], "_batch": ["old"]}), partition_by=["_batch"])
    seen = Snapshot(pipeline="trips", uri=path, version=0, rows=1, fingerprint="f")
    ledger.start_attempt(Attempt(id="trips-0001", pipeline="trips", snapshot=seen, folder="a"), {}, {})
    [batch] = trace(home, "trips-0001").batches
    assert (batch.id, batch.state, batch.in_snapshot) == ("old", None, 1)


def test_from_a_file_through_real_ingestion(home: Home, define: Any, table: Any, tmp_path: Path) -> None:
    """The parts that ingestion writes are those that lineage counts."""
    folder, rows = tmp_path / "in", table(300)
    folder.mkdir()
    config = define(data={"source": str(folder), "target": "y", "timestamp": "at"})
    Ledger.open(home).name_pipeline("trips", Path("trips.yaml"))
    rows.loc[299, "y"] = None
    for name, part in (("mon.csv", rows[:200]), ("tue.csv", rows[150:])):
        part.to_csv(folder / name, index=False)
        batch = stage_batch(config, home)
        snapshot = accept_batch(home, batch, validate_batch(config, home, batch))
    Ledger.open(home).start_attempt(plan_attempt(config, home, snapshot, None), {}, {})
    found = trace(home, "tue.csv")
    assert [str(batch.counts) for batch in found.batches] == [
        "read 150 = 50 known + 99 accepted + 1 quarantined + 0 refused"
    ]
    assert [use.attempt.snapshot for use in found.used_by] == [snapshot.id]
    up = trace(home, snapshot.id)
    assert [batch.in_snapshot for batch in up.batches] == [200, 99]
    assert up.snapshot is not None
    assert (up.snapshot.rows, up.snapshot.fingerprint) == (299, snapshot.fingerprint)
    assert [batch.sources[0].uri.rpartition("/")[2] for batch in up.batches] == ["mon.csv", "tue.csv"]


# ------------------------------------------------------------------------------------------------ ids


@pytest.mark.parametrize(
    ("asked", "kind", "name"),
    [
        ("trips:2", "version", "trips:2"),
        ("trips/2", "version", "trips:2"),
        ("models:/trips/2", "version", "trips:2"),
        ("2", "version", "trips:2"),
        ("v2", "version", "trips:2"),
        ("trips-2a2b3c4d", "attempt", "trips-2a2b3c4d"),
        ("2a2b3c4d", "attempt", "trips-2a2b3c4d"),
        ("trips-2a2", "attempt", "trips-2a2b3c4d"),
        ("run2run2run2run2", "run", "run2run2run2run2"),
        ("run2", "run", "run2run2run2run2"),
        ("drift0001", "cause", "drift0001"),
        ("trips:drift0001", "cause", "drift0001"),
        ("b0bb", "batch", "b0bbbbbbbbbb"),
        ("trips@1", "snapshot", "trips@1"),
        ("/data/tue.csv", "source", "/data/tue.csv"),
        ("data/tue.csv", "source", "/data/tue.csv"),
        (" p-two ", "prediction", "p-two"),
        ("trips:p-two", "prediction", "p-two"),
    ],
)
def test_each_kind_in_each_spelling(told: Home, asked: str, kind: str, name: str) -> None:
    found = trace(told, asked)
    assert (found.kind, found.id) == (kind, name)
    assert Trace.model_validate_json(found.model_dump_json()) == found
    assert trace(told, asked, kind) == found


def test_a_file_is_found_by_where_it_lies(
    told: Home, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir("/")
    assert trace(told, "./data/tue.csv").id == "/data/tue.csv"
    (tmp_path / "newest").symlink_to("/data/tue.csv")
    assert trace(told, str(tmp_path / "newest")).id == "/data/tue.csv"


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ("trips@7", ["'trips@7'", "snapshot 'trips@0'", "prediction", "evergreen history"]),
        ("trips:9", ["version 'trips:2'"]),
        ("tues.csv", ["source 'trips:/data/tue.csv'"]),
        ("drift0002", ["cause 'trips:drift0001'"]),
        ("zzzzzzzz", ["a source file"]),
        ("", ["''"]),
        ("\x1b[31mred", ["'\\x1b[31mred'"]),
    ],
)
def test_an_unknown_id_is_answered_with_what_comes_near(told: Home, asked: str, words: list[str]) -> None:
    with pytest.raises(UsageError) as caught:
        trace(told, asked)
    assert [word for word in words if word not in str(caught.value)] == []


def test_what_may_be_several_is_listed(told: Home) -> None:
    with pytest.raises(UsageError, match=r"attempt 'trips-1a2b3c4d'; attempt 'trips-3a2b3c4d'; attempt"):
        trace(told, "trips-")
    with pytest.raises(UsageError, match="Nothing here"):
        trace(told, "b0b", "prediction")
    with pytest.raises(UsageError, match="'model' is no kind of id"):
        trace(told, "b0bb", "model")


def test_one_file_of_two_pipelines_is_told_apart(home: Home) -> None:
    ledger = Ledger.open(home)
    for name in ("shop", "trips"):
        ledger.name_pipeline(name, Path(f"{name}.yaml"))
        sources = [SourceRead(uri="/data/mon.csv", stamp="s", rows=1)]
        ledger.open_intake(Batch(pipeline=name, id="b1", folder="f", rows=1, known=0, sources=sources))
    for asked in ("mon.csv", "b1"):
        with pytest.raises(UsageError, match=r"'shop:\S+'; \w+ 'trips:\S+'\."):
            trace(home, asked)
        found = trace(home, f"shop:{asked}")
        assert (found.pipeline, found.batches[0].state, found.batches[0].counts) == ("shop", "staged", None)


def test_an_empty_home_knows_nothing(home: Home) -> None:
    with pytest.raises(UsageError, match="Nothing here has the id 'p-one'"):
        trace(home, "p-one")


# ------------------------------------------------------------------------------------------------ speed


def test_one_prediction_among_many_is_found_quickly(home: Home) -> None:
    rows = 200_000
    frame = pd.DataFrame({"x": np.arange(rows, dtype=float), "_id": [f"row-{n}" for n in range(rows)]})
    moment = np.full(rows, np.datetime64("2026-01-01", "us"))
    logged = frame.assign(_time=moment, _scored_at=moment, _version=1, _channel="online", _prediction=0.5)
    Ledger.open(home).name_pipeline("trips", Path("trips.yaml"))
    append_predictions(home, "trips", logged)
    append_labels(home, "trips", pd.DataFrame({"_id": ["row-123456"], "_label": [0.75]}))
    start = time.perf_counter()
    found = trace(home, "row-123456")
    assert time.perf_counter() - start < 5  # a tenth of a second where nothing else runs
    assert found.prediction is not None
    said = (found.prediction.inputs, found.prediction.value, found.prediction.label)
    assert said == ({"x": 123456.0}, 0.5, 0.75)
