"""Rows that wait come back once, repaired or under other rules, whatever falls over in between."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.config import PipelineConfig
from pipelines.data.batches import stage_batch
from pipelines.data.quarantine import (
    accept_replay,
    export_quarantine,
    quarantine_summary,
    settle_replays,
    stage_replay,
    waiting_rows,
)
from pipelines.data.snapshots import accept_batch, current_snapshot, read_snapshot
from pipelines.errors import DataError, UsageError
from pipelines.home import Home
from pipelines.ledger import Ledger
from pipelines.records import Batch, Snapshot, ValidationReport
from pipelines.validation.batch import validate_batch

UP_TO = "expect_column_values_to_be_between"


@dataclass
class Shop:
    """A pipeline on files of `folder`, whose rule lets sizes from 0 to `most` in."""

    folder: Path
    most: float = 10
    decimal: str = "."
    source: str = "shop.csv"
    key: str | None = None

    @property
    def home(self) -> Home:
        return Home(self.folder / "home")

    @property
    def config(self) -> PipelineConfig:
        rule = {UP_TO: {"column": "size", "min_value": 0, "max_value": self.most}}
        fmt = {"decimal": self.decimal}
        data = {
            "source": self.source,
            "target": "sold",
            "format": fmt,
            **({"key": self.key} if self.key else {}),
        }
        return PipelineConfig.model_validate(
            {
                "pipeline": "shop",
                "task": "binary",
                "metric": "auc",
                "data": data,
                "columns": {
                    "size": {"type": "number"},
                    "kind": {"type": "category"},
                    "seen": {"type": "time", "optional": True},
                    "sold": {"type": "category"},
                },
                "validation": {"checks": [rule], "most_quarantined": 1.0, "drift": None},
                "folder": self.folder,
            }
        )

    def write(self, *lines: str, name: str = "shop.csv") -> None:
        (self.folder / name).write_text("\n".join(["size,kind,sold", *lines]) + "\n", encoding="utf-8")

    def check(self, batch: Batch) -> tuple[ValidationReport, Snapshot]:
        report = validate_batch(self.config, self.home, batch)
        accept = accept_replay if batch.replays else accept_batch
        return report, accept(self.home, batch, report)

    def take_in(self, *lines: str) -> ValidationReport:
        self.write(*lines)
        return self.check(stage_batch(self.config, self.home))[0]

    def replay(self, repaired: Path | None = None) -> ValidationReport:
        return self.check(stage_replay(self.config, self.home, repaired))[0]

    def export(self, name: str = "waiting.csv") -> Path:
        export_quarantine(self.config, self.home, self.folder / name)
        return self.folder / name

    def accepted(self) -> list[tuple[Any, ...]]:
        snapshot = current_snapshot(self.home, "shop")
        rows = read_snapshot(snapshot)[["size", "kind", "sold"]] if snapshot else pd.DataFrame()
        return list(rows.astype(object).where(rows.notna(), None).itertuples(index=False, name=None))

    def waiting(self) -> list[dict[str, Any]]:
        rows = waiting_rows(self.home, "shop")
        return [] if rows is None else rows.to_pylist()


GOOD = ("1,a,yes", "2,a,no")


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path)


def edit(path: Path, change: Callable[[dict[str, str]], dict[str, str] | None]) -> Path:
    """Rewrite each line of a CSV as a spreadsheet would; a line that becomes None is taken out."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file)
        lines, names = [line for row in reader if (line := change(row))], reader.fieldnames or []
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, names)
        writer.writeheader()
        writer.writerows(lines)
    return path


def sizes(*new: str) -> Callable[[dict[str, str]], dict[str, str]]:
    """Each row gets the next of these sizes."""
    values = iter(new)
    return lambda row: {**row, "size": next(values)}


def first_sizes(new: list[str]) -> Callable[[dict[str, str]], dict[str, str] | None]:
    """The first rows get these sizes, the others are taken out."""
    values = iter(new)
    return lambda row: {**row, "size": size} if (size := next(values, None)) else None


# ------------------------------------------------------------------------------------------------ looking


def test_what_waits_is_counted_by_reason(shop: Shop) -> None:
    shop.take_in(*GOOD, "11,a,no", "-4,b,yes", "big,a,no", "12,c,")
    summary = quarantine_summary(shop.home, "shop")
    assert (summary.waiting, summary.replayed) == (4, 0)
    counted = {(r.rule, r.column): r.rows for r in summary.reasons}
    assert counted == {(UP_TO, "size"): 3, ("value_is_readable", "size"): 1, ("target_is_present", "sold"): 1}
    assert len({r.batch for r in summary.reasons}) == 1


def test_nothing_was_ever_refused(shop: Shop) -> None:
    assert quarantine_summary(shop.home, "shop").waiting == 0
    shop.take_in(*GOOD)
    assert shop.export().read_text("utf-8-sig").splitlines() == [
        '"_id","_reason","size","kind","seen","sold"'
    ]
    assert shop.replay().rows == 0
    assert len(shop.accepted()) == 2


# ------------------------------------------------------------------------------------------------ export


@pytest.mark.parametrize("name", ["waiting.csv", "waiting.parquet"])
def test_an_export_that_nobody_touched_changes_nothing(shop: Shop, name: str) -> None:
    hard = (
        "0.1000000000000000055511151231257827,a,",
        "big,  b ,yes",
        '1e-7,"x,\n\'y",',
        "11,,no",
        "12,'=z,no",
    )
    shop.take_in(*GOOD, *hard, "13,=1+1,no", "14,NA,no", "-5,+49 170,no", "-6,-7,no")
    before = shop.waiting()
    report = shop.replay(shop.export(name))
    assert (report.rows, report.quarantined) == (9, 9)
    after = shop.waiting()
    assert [{**row, "_reason": None} for row in after] == [{**row, "_reason": None} for row in before]
    assert not [row["_reason"] for row in after if "as repaired" in row["_reason"]]


def test_a_spreadsheet_finds_no_formula_and_a_repair_keeps_the_text(shop: Shop) -> None:
    shop.take_in(*GOOD, "11,=1+1,no", "12,'=z,no", "=cmd,@x,no", "-13,-7,no")
    path = shop.export()
    with path.open(encoding="utf-8-sig", newline="") as file:
        cells = [(row["size"], row["kind"]) for row in csv.DictReader(file)]
    assert cells == [("11", "'=1+1"), ("12", "''=z"), ("'=cmd", "'@x"), ("-13", "-7")]
    shop.replay(edit(path, sizes("5", "6", "7", "8")))
    assert shop.accepted()[2:] == [(5, "=1+1", "no"), (6, "'=z", "no"), (7, "@x", "no"), (8, "-7", "no")]


def test_a_decimal_comma_survives_the_way_there_and_back(tmp_path: Path) -> None:
    shop = Shop(tmp_path, decimal=",")
    (tmp_path / "shop.csv").write_text("size;kind;sold\n1,5;a;yes\n11,25;b;no\n1.2.3;c;no\n2;a;no\n")
    shop.check(stage_batch(shop.config, shop.home))
    lines = shop.export().read_text("utf-8-sig").splitlines()
    assert [line.split(";")[2] for line in lines[1:]] == ['"11,25"', '"1.2.3"'] or "11,25" in lines[1]
    shop.most = 100
    assert shop.replay().quarantined == 1
    assert sorted(shop.accepted()) == [(1.5, "a", "yes"), (2, "a", "no"), (11.25, "b", "no")]


def test_an_export_goes_to_csv_or_parquet_alone(shop: Shop) -> None:
    with pytest.raises(UsageError, match=r"csv or \.parquet"):
        shop.export("waiting.xlsx")


# ------------------------------------------------------------------------------------------------ replay


def test_a_changed_rule_brings_rows_back_once(shop: Shop) -> None:
    shop.take_in(*GOOD, "11,a,no", "12,b,yes", "30,c,no")
    shop.most = 20
    report = shop.replay()
    assert (report.rows, report.accepted, report.quarantined) == (3, 2, 1)
    assert [row["size"] for row in shop.waiting()] == [30]
    again = shop.replay()
    assert (again.rows, again.accepted) == (1, 0)
    assert Counter(shop.accepted()) == Counter(
        [(1, "a", "yes"), (2, "a", "no"), (11, "a", "no"), (12, "b", "yes")]
    )
    shop.take_in(
        *GOOD, "11,a,no", "12,b,yes", "30,c,no", "3,new,no"
    )  # delivered again: all but one are known
    assert len(shop.accepted()) == 5
    summary = quarantine_summary(shop.home, "shop")
    assert (summary.waiting, summary.replayed) == (1, 2)


def test_a_row_that_failed_before_may_come_back_later(shop: Shop) -> None:
    """The same rows replayed under other rules are another batch, though their content is the same."""
    shop.take_in(*GOOD, "11,a,no")
    assert shop.replay().quarantined == 1
    assert shop.replay().quarantined == 1
    shop.most = 20
    assert shop.replay().accepted == 1
    assert shop.waiting() == []


def test_a_repaired_file_brings_back_its_rows_alone(shop: Shop) -> None:
    shop.take_in(*GOOD, "11,a,no", "big,b,yes", "12,c,no")
    path = edit(shop.export(), lambda row: {**row, "size": "5"} if row["kind"] in "ab" else None)
    report = shop.replay(path)
    assert (report.rows, report.accepted) == (2, 2)
    assert shop.accepted()[2:] == [(5, "a", "no"), (5, "b", "yes")]
    assert [row["size"] for row in shop.waiting()] == [12]
    with pytest.raises(DataError, match="do not wait in quarantine: 2, 3"):
        shop.replay(path)
    shop.take_in(*GOOD, "11,a,no", "big,b,yes", "12,c,no", "5,a,no")  # as it was, and as it was repaired
    assert len(shop.accepted()) == 4


def test_what_fails_again_waits_with_the_new_reason(shop: Shop) -> None:
    shop.take_in(*GOOD, "11,a,no", "big,b,yes")
    report = shop.replay(edit(shop.export(), sizes("-3", "small")))
    assert (report.accepted, report.quarantined) == (0, 2)
    first, second = shop.waiting()
    assert first["_reason"].startswith("as repaired: size: found -3")
    assert "'small'" in second["_reason"]
    assert (first["size"], second["_unread"]) == (11, '{"size":"big"}')
    assert len(shop.accepted()) == 2


def test_a_semicolon_file_of_a_spreadsheet_is_read(shop: Shop) -> None:
    shop.take_in(*GOOD, "11,é,no")
    path = shop.export()
    text = path.read_text("utf-8-sig").replace(",", ";").replace(";11;", ";7;").replace('"11"', '"7"')
    path.write_bytes(text.encode("latin-1"))
    assert shop.replay(path).accepted == 1
    assert shop.accepted()[-1] == (7, "é", "no")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda row: {**row, "_id": "99" if row["_id"] == "3" else "2"}, "do not wait in quarantine: 99"),
        (lambda row: {**row, "_id": "2"}, "has row 2 more than once"),
        (lambda row: {**row, "_id": "new"}, "not always the number of a row: new"),
        (lambda row: {**row, "_id": ""}, "not always the number of a row"),
    ],
)
def test_rows_that_do_not_wait_are_named(shop: Shop, change: Any, words: str) -> None:
    shop.take_in(*GOOD, "11,a,no", "12,b,no")
    with pytest.raises(DataError, match=words):
        shop.replay(edit(shop.export(), change))
    assert len(shop.waiting()) == 2
    assert len(shop.accepted()) == 2


def test_a_file_that_is_no_export_is_refused(shop: Shop) -> None:
    shop.take_in(*GOOD, "11,a,no")
    with pytest.raises(DataError, match="no column '_id'"):
        shop.replay(shop.folder / "shop.csv")
    shop.write("5,a,no", name="mine.csv")
    text = (shop.folder / "mine.csv").read_text().replace("size,", "_id,").replace("5,", "2,")
    (shop.folder / "mine.csv").write_text(text)
    with pytest.raises(DataError, match="no column 'size'"):
        shop.replay(shop.folder / "mine.csv")


def test_another_definition_takes_all_in_again_first(shop: Shop) -> None:
    shop.take_in(*GOOD, "11,a,no")
    shop.decimal = ","
    with pytest.raises(UsageError, match="otherwise than when") as caught:
        shop.replay()
    assert "evergreen ingest shop" in caught.value.hint


def test_with_a_key_a_repaired_row_is_known_as_it_was_and_as_it_is(tmp_path: Path) -> None:
    shop = Shop(tmp_path, key="kind")
    shop.take_in("1,a,yes", "2,b,no", "11,c,no", "12,d,no")
    shop.replay(edit(shop.export(), sizes("5", "6")))
    assert len(shop.accepted()) == 4
    report = shop.take_in("1,a,yes", "2,b,no", "11,c,no", "6,d,no", "7,e,no")
    assert (report.rows, report.accepted) == (1, 1)
    report = shop.take_in("1,a,yes", "2,b,no", "3,c,no")  # other values under a key that is held
    assert (report.rows, report.quarantined) == (1, 1)
    assert "a key that no other row has" in shop.waiting()[0]["_reason"]


# ------------------------------------------------------------------------------------------------ once

SIZE = st.sampled_from(["1", "2", "11", "12", "30", "big"])
STEP = st.one_of(
    st.tuples(st.just("ingest"), st.lists(SIZE, min_size=1, max_size=4)),
    st.tuples(st.just("replay"), st.sampled_from([5, 15, 50])),
    st.tuples(st.just("repair"), st.lists(SIZE, min_size=1, max_size=3)),
)


@settings(max_examples=8, deadline=None)
@given(st.lists(STEP, min_size=2, max_size=5))
def test_each_row_is_held_once_after_any_steps(steps: list[tuple[str, Any]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        shop, delivered = Shop(Path(folder)), 0
        shop.take_in(*GOOD)
        for number, (step, value) in enumerate(steps):
            if step == "ingest":  # `kind` tells each source row from every other
                lines = [f"{size},{number}-{place},no" for place, size in enumerate(value)]
                delivered += len(lines)
                shop.take_in(*GOOD, *lines)
            elif step == "replay":
                shop.most = value
                shop.replay()
            elif shop.waiting():
                shop.replay(edit(shop.export(), first_sizes(value)))
            held = Counter(row[1] for row in shop.accepted()) + Counter(row["kind"] for row in shop.waiting())
            assert held.pop("a") == len(GOOD)
            assert set(held.values()) <= {1}
            assert held.total() == delivered
            summary = quarantine_summary(shop.home, "shop")
            assert summary.waiting == len(shop.waiting())


KILLED = """
import os, signal, sys
from pathlib import Path
from pipelines.data import quarantine
from pipelines.home import Home
from pipelines.ledger import Ledger
from pipelines.records import Batch, ValidationReport

home, batch, report = Home(Path(sys.argv[1])), *(Path(p).read_text() for p in sys.argv[2:4])
quarantine.note_return = lambda *given: os.kill(os.getpid(), signal.SIGKILL)
quarantine.accept_replay(home, Batch.model_validate_json(batch), ValidationReport.model_validate_json(report))
"""


@pytest.fixture
def killed(shop: Shop) -> Shop:
    """A replay that died between the rows and the mark."""
    shop.take_in(*GOOD, "11,a,no", "12,b,no", "30,c,no")
    shop.most = 20
    batch = stage_replay(shop.config, shop.home)
    report = validate_batch(shop.config, shop.home, batch)
    files = [shop.folder / "batch.json", shop.folder / "report.json"]
    for file, record in zip(files, (batch, report), strict=True):
        file.write_text(record.model_dump_json())
    command = [sys.executable, "-c", KILLED, str(shop.home.root), *map(str, files)]
    done = subprocess.run(command, check=False, capture_output=True, env=dict(os.environ))
    assert done.returncode == -9, done.stderr
    assert len(shop.accepted()) == 4
    return shop


def test_the_next_replay_finishes_a_killed_one(killed: Shop) -> None:
    report = killed.replay()
    assert (report.rows, report.accepted) == (1, 0)
    assert {intake.state for intake in Ledger.open(killed.home).intakes("shop")} == {"accepted"}
    assert len(killed.accepted()) == 4
    assert [row["size"] for row in killed.waiting()] == [30]


def test_a_look_finishes_a_killed_replay(killed: Shop) -> None:
    assert len(killed.export().read_text("utf-8-sig").splitlines()) == 2  # its head, and 30,c,no
    summary = quarantine_summary(killed.home, "shop")
    assert (summary.waiting, summary.replayed) == (1, 2)
    settle_replays(killed.home, "shop")
    assert quarantine_summary(killed.home, "shop") == summary


def test_after_a_killed_replay_the_source_is_still_known(killed: Shop) -> None:
    killed.take_in(*GOOD, "11,a,no", "12,b,no", "30,c,no", "4,d,no")
    assert len(killed.accepted()) == 5
    assert len(killed.waiting()) == 1
