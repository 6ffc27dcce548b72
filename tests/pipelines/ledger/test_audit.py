"""The audit log shows every change of an entry, and every entry that is missing, new or out of place."""

from __future__ import annotations

import json
import math
import random
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

import pytest
import sqlalchemy as sa

from pipelines.home import Home
from pipelines.ledger import Ledger, audit, tables
from pipelines.ledger.audit import NOTHING, export, find_fault, last_hash

NAME = "trips"


@pytest.fixture
def ledger(home: Home) -> Ledger:
    """Five decisions, one of them with what JSON does not know, and one of another pipeline."""
    made = Ledger.open(home)
    made.note(NAME, "serving changed", "trips", {"to": 1})
    made.note("others", "serving changed", "others", {"to": 9})
    made.note(
        NAME, "attempt ended", "trips-1", {"rmse": math.nan, "gates": [{"name": "größe", "low": -math.inf}]}
    )
    for number in (2, 3, 4):
        made.note(NAME, "promotion begun", f"trips:{number}", {"why": "it is better", "value": 0.1 + number})
    return made


def test_each_pipeline_has_a_chain_of_its_own(ledger: Ledger) -> None:
    entries = ledger.audit_log(NAME)
    assert [entry.seq for entry in entries] == [1, 2, 3, 4, 5]
    assert [entry.previous for entry in entries] == [NOTHING, *(entry.hash for entry in entries[:-1])]
    assert entries[1].body == {"rmse": None, "gates": [{"name": "größe", "low": None}]}
    lines = export(entries).splitlines()
    assert find_fault(lines) is None
    assert find_fault(lines, last_hash(entries)) is None
    assert json.loads(lines[4])["body"]["value"] == 4.1
    assert (find_fault([]), last_hash([])) == (None, NOTHING)


def test_any_other_byte_shows_and_its_line_is_named(ledger: Ledger) -> None:
    lines, dice = export(ledger.audit_log(NAME)).splitlines(), random.Random(1)  # noqa: S311
    for number, line in enumerate(lines, 1):
        for place in range(len(line)):
            other = dice.choice([c for c in 'x0 1"{' if c != line[place]])
            changed = [*lines[: number - 1], line[:place] + other + line[place + 1 :], *lines[number:]]
            assert str(find_fault(changed)).startswith(f"Line {number}: "), (place, other)


def test_missing_repeated_and_moved_entries_show(ledger: Ledger) -> None:
    lines = export(ledger.audit_log(NAME)).splitlines()
    foreign = export(ledger.audit_log("others")).splitlines()
    assert str(find_fault(lines[1:])).startswith("Line 1: entry 1 was expected")
    assert str(find_fault([*lines[:2], *lines[3:]])).startswith("Line 3: entry 3 was expected")
    assert str(find_fault([*lines[:2], lines[3], lines[2], lines[4]])).startswith("Line 3: ")
    assert str(find_fault([*lines[:3], lines[2], *lines[3:]])).startswith("Line 4: ")
    assert str(find_fault([*foreign, *lines[1:]])).startswith("Line 2: ")
    assert str(find_fault([*lines, ""])).startswith("Line 6: this is no entry")


def test_what_was_cut_off_shows_to_who_knows_the_last_hash(ledger: Ledger) -> None:
    entries = ledger.audit_log(NAME)
    short = export(entries[:-1]).splitlines()
    assert find_fault(short) is None
    assert str(find_fault(short, last_hash(entries))).startswith("After line 4: entries are missing")
    assert find_fault(export(entries).splitlines(), last_hash(entries[:-1])) is None  # one came since


def test_a_row_changed_in_the_database_shows(ledger: Ledger) -> None:
    table = tables.audit_log
    with ledger.engine.begin() as connection:
        mine = (table.c.pipeline == NAME) & (table.c.seq == 3)
        connection.execute(sa.update(table).where(mine).values(time=datetime(2020, 1, 1)))
    assert str(find_fault(export(ledger.audit_log(NAME)).splitlines())).startswith(
        "Line 3: the entry was changed"
    )


def test_many_who_write_at_once_make_one_chain(home: Home, ledger: Ledger) -> None:
    def write(number: int) -> None:
        mine = Ledger.open(home)
        for turn in range(5):
            with mine.writing() as connection:
                audit.append(connection, NAME, "note", f"{number}-{turn}", {})

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(write, range(6)))
    entries = ledger.audit_log(NAME)
    assert [entry.seq for entry in entries] == list(range(1, 36))
    assert find_fault(export(entries).splitlines(), last_hash(entries)) is None
