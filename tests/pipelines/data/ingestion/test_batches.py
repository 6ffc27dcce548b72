"""Each row is taken in once, in good or bad company, whatever falls over in between."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipelines.data.storage.snapshots import accept_batch, current_snapshot, quarantined_rows, read_snapshot
from pipelines.data.storage.tables import open_table
from pipelines.errors import DataError, DataRefused
from pipelines.ledger import Ledger


def test_a_file_is_read_again_only_when_it_changed(table: Any) -> None:
    batch, first = table.take_in("a,y\nx,1\nx,1\nz,2\n")
    assert (batch.rows, batch.known, first.rows, first.version) == (3, 0, 3, 0)
    batch, again = table.take_in()
    assert (batch.rows, batch.known, batch.unchanged, batch.sources) == (0, 0, 1, [])
    assert again == first
    batch, _ = table.take_in("a,y\nx,1\nx,1\nz,2\n")  # another file of the same content
    assert (batch.rows, batch.known, batch.unchanged) == (0, 3, 0)
    assert table.take_in()[0].unchanged == 1
    table.take_in("a,y\nx,1\n\nx,1\nz,2\n")
    assert table.take_in()[0].unchanged == 1
    batch, grown = table.take_in("a,y\nnew,5\nx,1\nx,1\nx,1\nz,2\n")
    assert (batch.rows, batch.known, grown.rows, grown.version) == (2, 3, 5, 1)
    assert read_snapshot(grown).to_dict("list") == {"a": ["x", "x", "z", "new", "x"], "y": [1, 1, 2, 5, 1]}
    assert len(read_snapshot(first)) == 3


ROWS = st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 2)), min_size=1, max_size=12)


@settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
@given(first=ROWS, second=ROWS, bad=st.sets(st.integers(0, 11)))
def test_rows_in_are_new_or_known(make_table: Any, first: Any, second: Any, bad: set[int]) -> None:
    with tempfile.TemporaryDirectory() as name:
        table = make_table(Path(name))
        text = "a,y\n" + "".join(f"{a},{y}\n" for a, y in first)
        bad = {i for i in bad if i < len(first) - 1}
        table.take_in(text, dict.fromkeys(bad, "bad"))
        batch, after = table.take_in("a,y\n" + "".join(f"{a},{y}\n" for a, y in second))
        new = Counter(second) - Counter(first)
        assert batch.rows == new.total()
        assert batch.rows + batch.known == len(second)
        assert after.rows == len(first) - len(bad) + new.total()
        assert after.rows + quarantined_rows(table.home, "p") == (Counter(first) | Counter(second)).total()


def test_bad_rows_go_to_quarantine_with_all_reasons_and_stay_known(table: Any) -> None:
    text = "a,y\nx,1\nz,abc\nw,3\n"
    _, snapshot = table.take_in(text, {1: "too small|too old"})
    assert read_snapshot(snapshot)["a"].tolist() == ["x", "w"]
    kept = open_table(table.home.pipeline("p").quarantine).to_pyarrow_table().to_pylist()  # type: ignore[union-attr]
    assert [(row["a"], row["_reason"], row["_unread"], row["_replayed"]) for row in kept] == [
        ("z", "too old; too small", '{"y":"abc"}', None)
    ]
    assert table.take_in(text)[0].rows == 0


def test_a_refused_batch_is_kept_and_not_used(table: Any) -> None:
    table.write("a,y\nx,1\n")
    batch = table.stage()
    with pytest.raises(DataRefused, match=r"nothing but zeros\nRows read 1 = 0 known .* \+ 1 refused"):
        accept_batch(table.home, batch, table.judge(batch, refused="nothing but zeros"))
    assert Path(batch.folder).exists()
    assert current_snapshot(table.home, "p") is None
    assert [i.state for i in Ledger.open(table.home).intakes("p")] == ["refused"]
    assert table.stage().id == batch.id
    assert accept_batch(table.home, batch, table.judge(batch)).rows == 1


def test_nothing_but_bad_rows(table: Any) -> None:
    table.write("a,y\nx,1\n")
    batch = table.stage()
    with pytest.raises(DataError, match="has no data: read 1 = 0 known"):
        accept_batch(table.home, batch, table.judge(batch, {0: "bad"}))
    assert quarantined_rows(table.home, "p") == 1
    assert table.take_in("a,y\nx,1\nz,2\n")[1].rows == 1


def test_the_fingerprint_is_of_content_not_of_order_or_batches(make_table: Any, tmp_path: Path) -> None:
    prints = set()
    tables = {name: make_table(tmp_path / name) for name in ("one", "two")}
    for name, texts in {"one": ["z,2\nx,1\n"], "two": ["x,1\n", "x,1\nz,2\n"]}.items():
        for text in texts:
            _, snapshot = tables[name].take_in(f"a,y\n{text}")
        prints.add(snapshot.fingerprint)
    assert len(prints) == 1
    _, other = tables["one"].take_in("a,y\nx,1\nz,2.5\n")
    assert other.fingerprint not in prints


def test_extra_data_is_added_once(table: Any) -> None:
    table.take_in("a,y\nx,1\n")
    more = table.write("a,y\nx,1\nnew,3\n", "more.csv")
    batch, snapshot = table.take_in(None, None, more)
    assert (batch.rows, batch.known, snapshot.rows) == (1, 1, 2)
    assert table.stage(more).rows == 0
    assert table.stage().rows == 0


def test_new_files_of_a_folder_and_overlapping_ones(table: Any) -> None:
    table.data = {"source": "in"}
    table.write("a,y\nx,1\nx,1\n", "in/1.csv")
    table.write("a,y\nx,1\nz,2\n", "in/2.csv")
    batch, _ = table.take_in()
    assert (batch.rows, batch.known, [s.rows for s in batch.sources]) == (3, 1, [2, 2])
    table.write("a,y\nz,2\nw,3\n", "in/0.csv")  # late, and it overlaps
    batch, _ = table.take_in()
    assert (batch.rows, batch.known, batch.unchanged) == (1, 1, 2)
    assert table.held() == [("x", 1), ("x", 1), ("z", 2), ("w", 3)]


# ------------------------------------------------------------------------------------------------ changed
# definitions


def test_a_changed_definition_takes_all_rows_again_and_loses_none(table: Any) -> None:
    table.take_in("a,y,n\nx,1,7\nold,2,8\nbad,3,9\n", {2: "bad"})
    table.columns = {**table.columns, "n": "number"}
    text = "a,y,n\nx,1,7\nnew,4,6\n"  # `old` and `bad` are not in the source any longer
    batch, snapshot = table.take_in(text)
    assert (batch.rows, batch.rebuilt) == (4, True)
    frame = read_snapshot(snapshot)
    assert frame["a"].tolist() == ["x", "new", "old", "bad"]
    assert frame["n"].tolist()[:2] == [7, 6]
    assert frame["n"].isna().tolist()[2:] == [True, True]
    assert quarantined_rows(table.home, "p") == 0
    assert table.take_in()[0].rows == 0
    table.columns = {"a": "category", "y": "number"}
    assert table.take_in()[1].rows == 4


def test_a_corrected_format_reads_the_file_again(table: Any) -> None:
    table.columns = {**table.columns, "t": "time"}
    table.take_in("a,y,t\nx,1,03/04/2020\nz,2,04/04/2020\n")
    table.data = {"format": {"day_first": True}}
    batch, snapshot = table.take_in()
    assert (batch.rows, snapshot.rows) == (2, 2)
    assert [str(t.date()) for t in read_snapshot(snapshot)["t"]] == ["2020-04-03", "2020-04-04"]


def test_an_unreadable_cell_comes_back_as_its_text(table: Any) -> None:
    table.columns = {**table.columns, "n": "number"}
    table.take_in("a,y,n\nx,1,7\nz,2,seven\n", {1: "no number"})
    assert quarantined_rows(table.home, "p") == 1
    table.columns = {**table.columns, "n": "category"}
    table.write("a,y,n\nx,1,7\n")
    batch, snapshot = table.take_in()
    assert batch.rows == 2
    assert read_snapshot(snapshot)["n"].tolist() == ["7", "seven"]


# ------------------------------------------------------------------------------------------------ killed

STEPS = ["staged", "after quarantine", "linked", "before the rows", "after the rows"]


@pytest.mark.parametrize("step", STEPS)
def test_killed_between_any_two_steps_it_has_happened_or_not(table: Any, step: str) -> None:
    table.write("a,y\nx,1\nz,2\nw,3\n")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("dying.py")), str(table.folder), step],
        check=False,
        env=environment,
        capture_output=True,
    )
    assert done.returncode == -9, done.stderr.decode()
    batch = table.stage()
    happened = batch.rows == 0
    assert happened == (step != "staged")
    if not happened:
        accept_batch(table.home, batch, table.judge(batch, {1: "bad"}))
    assert table.held() == [("x", 1), ("w", 3)]
    assert quarantined_rows(table.home, "p") == 1
    assert [i.state for i in Ledger.open(table.home).intakes("p")] == ["accepted"]
    assert list(table.home.pipeline("p").incoming.iterdir()) == []
    assert table.take_in("a,y\nnext,1\n")[1].rows == 3


def test_two_ids_that_a_number_cannot_tell_apart_are_two_rows(table: Any) -> None:
    table.columns = {"id": "number", **table.columns}
    for name, text in {
        "t.csv": "id,a,y\n1234567890123456789,x,1\n1234567890123456788,x,1\n",
        "t.jsonl": '{"id":1234567890123456787,"a":"x","y":1}\n{"id":1234567890123456786,"a":"x","y":1}\n',
    }.items():
        table.data = {"source": name}
        table.write(text, name)
        batch = table.stage()
        assert (batch.rows, batch.known, batch.problems) == (2, 0, 2)


def test_two_long_unread_cells_are_two_rows(table: Any) -> None:
    table.columns = {"n": "number", **table.columns}
    start = "x" * 5000
    batch, _ = table.take_in(f"n,a,y\n{start}1,x,1\n{start}2,x,1\n7,x,1\n", {0: "bad", 1: "bad"})
    assert (batch.rows, batch.known) == (3, 0)
    kept = open_table(table.home.pipeline("p").quarantine).to_pyarrow_table()["_unread"].to_pylist()  # type: ignore[union-attr]
    assert sorted(kept) == [f'{{"n":"{start}{i}"}}' for i in (1, 2)]
