"""Rows that wait come back, repaired or under other rules."""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from pipelines.data.ingestion.batches import stage_batch
from pipelines.data.quarantine.replays import (
    quarantine_summary,
)
from pipelines.errors import DataError, UsageError
from tests.pipelines.data.quarantine.shop import GOOD, UP_TO, Shop, edit, sizes


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
