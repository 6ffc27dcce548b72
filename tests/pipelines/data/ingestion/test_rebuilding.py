"""A changed definition reads everything anew: none is lost, none is there twice, repairs stay repaired."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from pipelines.data.quarantine.replays import accept_replay, export_quarantine, stage_replay
from pipelines.data.storage.snapshots import accept_batch, quarantined_rows
from pipelines.data.storage.tables import open_table
from pipelines.ledger import Ledger

OPTIONAL = {"type": "number", "optional": True}


def values(table: Any) -> list[tuple[Any, ...]]:
    """The accepted rows without missing cells, in any order."""
    return sorted(tuple(cell for cell in row if not pd.isna(cell)) for row in table.held())


def put(table: Any, **files: str) -> None:
    """Write files of the source folder, take each in as a batch of its own."""
    table.data = {**table.data, "source": "in"}
    for name, rows in files.items():
        table.write("a,y\n" + rows.replace(" ", "\n") + "\n", f"in/{name}.csv")
        table.take_in()


def test_a_file_of_known_rows_shares_no_numbers_with_the_next(table: Any) -> None:
    put(table, one="x,1 z,2", two="x,1 z,2", three="p,3 q,4")
    (table.folder / "in" / "three.csv").unlink()
    table.columns = {**table.columns, "n": OPTIONAL}
    table.take_in()
    assert values(table) == [("p", 3), ("q", 4), ("x", 1), ("z", 2)]


@pytest.mark.parametrize("kind", ["category", "text"])
def test_rows_that_differ_in_the_changed_column_alone_stay_apart(table: Any, kind: str) -> None:
    table.columns = {"a": "category", "y": "number", "c": "number"}
    table.data = {"source": "in"}
    for name, rows in (("one", "x,1,1\nx,1,2"), ("two", "x,1,3\nx,1,4")):
        table.write(f"a,y,c\n{rows}\n", f"in/{name}.csv")
        table.take_in()
    (table.folder / "in" / "two.csv").unlink()
    table.columns = {**table.columns, "c": kind}
    table.take_in()
    assert values(table) == [("x", 1, "1"), ("x", 1, "2"), ("x", 1, "3"), ("x", 1, "4")]


def test_a_name_that_is_written_over_each_day_loses_no_day(table: Any) -> None:
    for day in range(3):
        table.take_in(f"a,y\nx,{day}0\nx,{day}1\n")
    table.columns = {**table.columns, "n": OPTIONAL}
    assert table.take_in()[1].rows == 6
    assert values(table) == [("x", float(f"{day}{row}")) for day in range(3) for row in range(2)]


def test_a_column_that_goes_joins_no_rows(table: Any) -> None:
    table.columns = {**table.columns, "c": "number"}
    table.data = {"source": "in"}
    for name, row in (("one", "x,1,1"), ("two", "x,1,2")):
        table.write(f"a,y,c\n{row}\n", f"in/{name}.csv")
    table.take_in()
    table.columns = {"a": "category", "y": "number"}
    table.take_in()
    assert values(table) == [("x", 1), ("x", 1)]


def test_an_alias_gives_rows_their_cells_and_adds_none(table: Any) -> None:
    table.columns = {**table.columns, "h": OPTIONAL}
    table.take_in("a,y,hum\nx,1,7\nz,2,8\n")
    assert values(table) == [("x", 1), ("z", 2)]
    table.columns = {**table.columns, "h": {**OPTIONAL, "also": ["hum"]}}
    table.take_in("a,y,hum\nx,1,7\nz,2,8\nnew,3,9\n")
    assert values(table) == [("new", 3, 9), ("x", 1, 7), ("z", 2, 8)]


def test_true_duplicates_stay_as_many(table: Any) -> None:
    table.take_in("a,y\nx,1\nx,1\nx,1\n")
    table.columns = {**table.columns, "n": OPTIONAL}
    table.take_in("a,y\nx,1\nx,1\n")  # the source has one less now
    assert values(table) == [("x", 1)] * 3


def test_a_first_batch_that_waits_whole_comes_back(table: Any) -> None:
    table.write("a,y\nx,1\n")
    batch = table.stage()
    with pytest.raises(Exception, match="has no data"):
        table.take_in(None, {0: "bad"})
    table.data = {"format": {"missing": ["?"]}}
    batch, snapshot = table.take_in()
    assert (batch.rebuilt, snapshot.rows, quarantined_rows(table.home, "p")) == (True, 1, 0)


ROW = st.tuples(st.sampled_from("xz"), st.sampled_from(["1", "2", "bad"]))
STEP = st.one_of(
    st.tuples(st.just("write"), st.sampled_from("12"), st.lists(ROW, min_size=1, max_size=4)),
    st.tuples(st.just("delete"), st.sampled_from("12"), st.just([])),
)


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(STEP, min_size=1, max_size=4))
def test_whatever_came_before_a_rebuild_changes_no_row(make_table: Any, steps: list[Any]) -> None:
    with tempfile.TemporaryDirectory() as name:
        table = make_table(Path(name))
        table.data = {"source": "in"}
        table.write("a,y\nfirst,0\n", "in/0.csv")
        for kind, file, rows in steps:
            path = table.write("".join(f"{a},{y}\n" for a, y in [("a", "y"), *rows]), f"in/{file}.csv")
            if kind == "delete":
                path.unlink()
            take_what_can_be_read(table)
        before = values(table), waiting(table)
        table.columns = {**table.columns, "n": OPTIONAL}
        assert take_what_can_be_read(table).rebuilt
        assert (values(table), waiting(table)) == before
        assert take_what_can_be_read(table).rows == 0


def take_what_can_be_read(table: Any) -> Any:
    batch = table.stage()
    lines = parquet.read_table(Path(batch.folder, "problems.parquet")).to_pylist() if batch.problems else []
    accept_batch(table.home, batch, table.judge(batch, {line["_seq"]: "no number" for line in lines}))
    return batch


def waiting(table: Any) -> list[str]:
    quarantine = open_table(table.home.pipeline("p").quarantine)
    rows = quarantine.to_pyarrow_table().to_pylist() if quarantine is not None else []
    return sorted(f"{row['a']} {row['_unread']}" for row in rows)


# ------------------------------------------------------------------------------------------------ repairs


def repair(table: Any) -> None:
    """Take in a row that cannot be read, and bring it back repaired."""
    table.write("a,y\nx,1\nK,oops\n")
    batch = table.stage()
    table.take_in(None, {1: "no number"})
    assert quarantined_rows(table.home, "p") == 1
    table_file = table.folder / "waiting.csv"
    export_quarantine(table.config, table.home, table_file)
    table_file.write_text(table_file.read_text("utf-8-sig").replace("oops", "77"))
    batch = stage_replay(table.config, table.home, table_file)
    accept_replay(table.home, batch, table.judge(batch))


@pytest.mark.parametrize("data", [{}, {"key": "a"}])
def test_a_repaired_row_stays_and_its_original_is_still_known(table: Any, data: dict[str, Any]) -> None:
    table.data = data
    repair(table)
    for number in range(2):  # and after one more change
        table.columns = {**table.columns, f"n{number}": OPTIONAL}
        batch, _ = table.take_in()
        assert batch.rebuilt
        assert values(table) == [("K", 77), ("x", 1)]
        assert quarantined_rows(table.home, "p") == 0
    assert table.take_in("a,y\nx,1\nK,oops\nnew,2\n")[0].rows == 1


def test_a_replay_that_could_not_be_noted_counts_once(table: Any, monkeypatch: Any) -> None:
    from pipelines.data.quarantine import replays

    table.take_in("a,y\nx,1\nz,2\n", {1: "bad"})
    batch = stage_replay(table.config, table.home)
    with monkeypatch.context() as patch:
        patch.setattr(replays, "note_return", lambda *_: None)
        accept_replay(table.home, batch, table.judge(batch))
    batch, _ = table.take_in("a,y\nx,1\nz,2\nz,2\n")  # a second one, truly
    assert (batch.rows, batch.known) == (1, 2)


# ------------------------------------------------------------------------------------------------ keys


def test_a_corrected_source_takes_the_place_of_a_row_that_waits(table: Any) -> None:
    table.data = {"key": "a"}
    table.take_in("a,y\nx,1\nK,oops\n", {1: "no number"})
    batch, _ = table.take_in("a,y\nx,1\nK,77\n")
    assert (batch.rows, batch.problems) == (1, 0)
    assert values(table) == [("K", 77), ("x", 1)]


def test_of_the_rows_of_a_key_the_readable_one_is_the_row(table: Any) -> None:
    table.data = {"key": "a"}
    table.write("a,y\nK,oops\nK,77\n")
    batch = table.stage()
    assert (batch.rows, batch.problems) == (2, 1)


def test_a_row_without_a_key_is_a_problem(table: Any) -> None:
    table.data = {"key": "a"}
    table.write("a,y\n,1\n,2\nx,3\n")
    batch = table.stage()
    assert (batch.rows, batch.problems) == (3, 2)


def test_the_form_is_kept_with_each_batch(table: Any) -> None:
    table.take_in("a,y\nx,1\n")
    [intake] = Ledger.open(table.home).intakes("p")
    assert '"type":"category"' in intake.batch.form
    assert Path(intake.batch.folder).name == intake.batch.id
