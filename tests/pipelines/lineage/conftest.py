"""Two batches, one partly quarantined, and a refused one; three attempts, two champions, a prediction log."""

from __future__ import annotations

from datetime import datetime

import pandas as pd
import pyarrow as pa
import pytest
from deltalake import write_deltalake

from pipelines.data.predictions.prediction_log import append_labels, append_predictions
from pipelines.home import Home
from pipelines.ledger import Ledger
from pipelines.records import (
    Attempt,
    Batch,
    Cause,
    GateVerdict,
    Promotion,
    RuleResult,
    Snapshot,
    SourceRead,
    TrainedModel,
    TrainOutcome,
    ValidationReport,
    WindowJudgment,
    WindowMeasure,
)

MONDAY = datetime(2026, 1, 5, 8)
PASSED = [GateVerdict(name="baseline", verdict="pass", reason="better than the mean by 3")]
RULES = [
    RuleResult(rule="not_null", column="zone", on_failure="quarantine", passed=True, message="as expected"),
    RuleResult(
        rule="between",
        column="distance",
        on_failure="quarantine",
        passed=False,
        unexpected=2,
        message="between on distance: 2 of 6 rows are not as expected ([red]0 to 90[/red]): \x1b[31m-1",
        examples=["-1"],
    ),
]


def take_in(home: Home, name: str, files: list[str], rows: int, version: int | None, bad: int = 0) -> None:
    """A batch in the ledger and its good rows in the table; refused where there is no `version`."""
    ledger, table = Ledger.open(home), home.pipeline("trips").rows
    sources = [
        SourceRead(uri=uri, stamp=f"stamp of {uri}", rows=rows // len(files), found={"format": "csv"})
        for uri in files
    ]
    batch = Batch(pipeline="trips", id=name, folder="in", rows=rows, known=0, sources=sources)
    refused = None if version is not None else "0 of the columns are there"
    report = ValidationReport(
        pipeline="trips",
        batch=name,
        rows=rows,
        quarantined=bad,
        results=RULES if bad else [],
        refused=refused,
    )
    ledger.open_intake(batch)
    if version is not None and rows > bad:
        good = pa.table({"x": [1.0] * (rows - bad), "_batch": [name] * (rows - bad)})
        write_deltalake(str(table), good, mode="append", partition_by=["_batch"])
    ledger.close_intake(report, "refused" if version is None else "accepted", version)


def try_model(home: Home, number: int, snapshot: int, cause: str, status: str = "promoted") -> str:
    """An attempt that has ended: as a version, and champion, where it was promoted."""
    ledger, name = Ledger.open(home), f"trips-{number}a2b3c4d"
    data = Snapshot(
        pipeline="trips", uri=str(home.pipeline("trips").rows), version=snapshot, rows=10, fingerprint="f1f2"
    )
    ledger.start_attempt(Attempt(id=name, pipeline="trips", snapshot=data, folder="a", cause=cause), {}, {})
    outcome = TrainOutcome(
        status=status,
        pipeline="trips",
        attempt=name,
        model={"name": "trips", "run_id": f"run{number}" * 4},
        gates=PASSED,
        seconds={"ingest": 1.0, "train": 2.5},
    )
    ledger.finish_attempt(outcome)
    if status == "promoted":
        champion = ledger.champion("trips")
        trained = TrainedModel(attempt=name, kind="mlp", folder="b", files={}, seconds=1.0)
        ledger.record_version(name, trained, number)
        row = Promotion(
            pipeline="trips",
            seq=0,
            version=number,
            previous=champion.version if champion else None,
            attempt=name,
            cause=cause,
            why="it is better",
            since=MONDAY.replace(day=5 + number),
        )
        ledger.confirm(ledger.promote(row, outcome))
    return name


def log_predictions(home: Home) -> None:
    """Three of version 1, of which one has a label, and one of version 2."""
    frame = pd.DataFrame(
        {
            "zone": ["north", "[bold]south", None, "east"],
            "_id": ["p-one", "p-two", "p-three", "p-four"],
            "_time": pd.to_datetime([MONDAY] * 4).astype("datetime64[us]"),
            "_version": [1, 1, 1, 2],
            "_channel": ["online"] * 4,
            "_scored_at": pd.to_datetime([MONDAY] * 4).astype("datetime64[us]"),
            "_prediction": ["yes", "no", "yes", "no"],
            "_p_no": [0.25, 0.75, 0.5, 0.9],
            "_p_yes": [0.75, 0.25, 0.5, 0.1],
        }
    )
    append_predictions(home, "trips", frame)
    append_labels(home, "trips", pd.DataFrame({"_id": ["p-one"], "_label": ["no"]}))


def judge_window(home: Home) -> None:
    measure = WindowMeasure(
        pipeline="trips", start=MONDAY, end=MONDAY.replace(day=6), version=1, rows=3, labelled=1
    )
    Ledger.open(home).store_window(
        WindowJudgment(
            measure=measure, verdict="drift", decision="retrain", reason="zone moved", cause="drift0001"
        )
    )


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """trips@0 is of Monday's two files, trips@1 has Tuesday's, too; Wednesday's were refused."""
    home = Home(tmp_path_factory.mktemp("a home"))
    ledger = Ledger.open(home)
    ledger.name_pipeline("trips", home.root / "trips.yaml")
    take_in(home, "b0aaaaaaaaaa", ["/data/mon-1.csv", "/data/mon-2.csv"], rows=6, version=0, bad=2)
    take_in(home, "b0bbbbbbbbbb", ["/data/tue.csv"], rows=6, version=1)
    take_in(home, "b0cccccccccc", ["/data/wed.csv"], rows=4, version=None)
    for name, kind, version in (("person001", "person", None), ("drift0001", "drift", 1)):
        reason = "started by hand" if kind == "person" else "zone moved"
        ledger.add_cause(
            Cause(id=name, pipeline="trips", kind=kind, reason=reason, version=version, created=MONDAY)
        )
    try_model(home, 1, 0, "person001")
    try_model(home, 3, 1, "drift0001", "rejected")
    try_model(home, 2, 1, "drift0001")
    judge_window(home)
    log_predictions(home)
    return home
