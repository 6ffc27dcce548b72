"""Each row is taken in once, in good or bad company, whatever falls over in between."""

import tempfile
from collections import Counter
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipelines.config import PipelineConfig
from pipelines.data import accept_batch, current_snapshot, quarantined_rows, read_snapshot, stage_batch
from pipelines.data import snapshots as module
from pipelines.errors import DataError, DataRefused
from pipelines.home import Home
from pipelines.records import Batch, Snapshot, ValidationReport


def config(folder: Path, source: str = "t.csv", **types: str) -> PipelineConfig:
    columns = {"a": "category", "y": "number", **types}
    return PipelineConfig.model_validate(
        {
            "pipeline": "p",
            "task": "regression",
            "metric": "rmse",
            "data": {"source": source, "target": "y"},
            "columns": {name: {"type": kind} for name, kind in columns.items()},
            "folder": folder,
        }
    )


def report(batch: Batch, bad: dict[int, str] | None = None, refused: str | None = None) -> ValidationReport:
    path = Path(batch.path).with_name("failures.parquet")
    rows = [(position, reason) for position, said in (bad or {}).items() for reason in said.split("|")]
    pd.DataFrame(rows, columns=["position", "reason"]).astype(
        {"position": "int64", "reason": str}
    ).to_parquet(path)
    return ValidationReport(
        pipeline="p",
        batch=batch.id,
        rows=batch.rows,
        quarantined=len(bad or {}),
        results=[],
        refused=refused,
        failures_path=str(path) if bad else None,
    )


def take_in(
    folder: Path, text: str, bad: dict[int, str] | None = None, **types: str
) -> tuple[Batch, Snapshot]:
    (folder / "t.csv").write_text(text)
    home = Home(folder / "home")
    batch = stage_batch(config(folder, **types), home)
    return batch, accept_batch(home, batch, report(batch, bad))


def test_the_same_file_twice_adds_nothing_and_a_grown_one_its_new_rows(tmp_path: Path) -> None:
    batch, first = take_in(tmp_path, "a,y\nx,1\nx,1\nz,2\n")
    assert (batch.rows, batch.known, first.rows, first.version) == (3, 0, 3, 0)
    batch, again = take_in(tmp_path, "a,y\nx,1\nx,1\nz,2\n")
    assert (batch.rows, batch.known) == (0, 3)
    assert again == first
    batch, grown = take_in(tmp_path, "a,y\nnew,5\nx,1\nx,1\nx,1\nz,2\n")
    assert (batch.rows, batch.known, grown.rows, grown.version) == (2, 3, 5, 1)
    assert read_snapshot(grown).to_dict("list") == {"a": ["x", "x", "z", "new", "x"], "y": [1, 1, 2, 5, 1]}
    assert len(read_snapshot(first)) == 3


ROWS = st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 2)), min_size=1, max_size=12)


@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
@given(first=ROWS, second=ROWS, bad=st.sets(st.integers(0, 11)))
def test_rows_in_are_new_or_known(
    first: list[tuple[str, int]], second: list[tuple[str, int]], bad: set[int]
) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        text = "a,y\n" + "".join(f"{a},{y}\n" for a, y in first)
        _, before = take_in(folder, text, {i: "bad" for i in bad if i < len(first)})
        batch, after = take_in(folder, "a,y\n" + "".join(f"{a},{y}\n" for a, y in second))
        new = Counter(second) - Counter(first)
        assert batch.rows == new.total()
        assert batch.rows + batch.known == len(second)
        assert after.rows == before.rows + new.total()
        assert (
            after.rows + quarantined_rows(Home(folder / "home"), "p")
            == (Counter(first) | Counter(second)).total()
        )


def test_bad_rows_go_to_quarantine_with_all_reasons_and_stay_known(tmp_path: Path) -> None:
    text = "a,y\nx,1\nz,2\nw,3\n"
    _, snapshot = take_in(tmp_path, text, {1: "too old|too small"})
    home = Home(tmp_path / "home")
    assert read_snapshot(snapshot)["a"].tolist() == ["x", "w"]
    kept = module.open_table(home.pipeline("p").quarantine).to_pyarrow_table().to_pylist()  # type: ignore[union-attr]
    assert [(row["a"], row["_reason"]) for row in kept] == [("z", "too old; too small")]
    batch, _ = take_in(tmp_path, text)
    assert batch.rows == 0


def test_accepting_twice_and_after_a_crash_between_the_two_tables(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("a,y\nx,1\nz,2\n")
    home = Home(tmp_path / "home")
    batch = stage_batch(config(tmp_path), home)
    said = report(batch, {0: "bad"})
    rows = module.read_staged(batch)
    module.write_quarantine(
        home.pipeline("p").quarantine, rows, module.read_reasons(said), batch
    )  # and here it fell
    first = accept_batch(home, batch, said)
    assert accept_batch(home, batch, said) == first
    assert (first.rows, first.version, quarantined_rows(home, "p")) == (1, 0, 1)


def test_a_refused_batch_is_kept_and_not_used(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("a,y\nx,1\n")
    home = Home(tmp_path / "home")
    batch = stage_batch(config(tmp_path), home)
    with pytest.raises(DataRefused, match="nothing but zeros"):
        accept_batch(home, batch, report(batch, refused="nothing but zeros"))
    assert Path(batch.path).exists()
    assert current_snapshot(home, "p") is None
    assert stage_batch(config(tmp_path), home).id == batch.id


def test_rows_with_nothing_in_them_and_nothing_at_all(tmp_path: Path) -> None:
    _, snapshot = take_in(tmp_path, "a,y\nx,1\n", {0: "bad"})
    assert snapshot.rows == 0
    empty = Batch(pipeline="other", id="0", path="", rows=0, known=0, sources=[])
    with pytest.raises(DataError, match="has no data"):
        accept_batch(
            Home(tmp_path),
            empty,
            report(Batch(pipeline="p", id="0", path=str(tmp_path / "x"), rows=0, known=0, sources=[])),
        )


def test_the_fingerprint_is_of_content_not_of_order_or_batches(tmp_path: Path) -> None:
    prints = set()
    for name, texts in {"one": ["z,2\nx,1\n"], "two": ["x,1\n", "x,1\nz,2\n"]}.items():
        (tmp_path / name).mkdir()
        for text in texts:
            _, snapshot = take_in(tmp_path / name, f"a,y\n{text}")
        prints.add(snapshot.fingerprint)
    assert len(prints) == 1
    _, other = take_in(tmp_path / "one", "a,y\nx,1\nz,2.5\n")
    assert other.fingerprint not in prints


def test_extra_data_is_added_once(tmp_path: Path) -> None:
    take_in(tmp_path, "a,y\nx,1\n")
    more = tmp_path / "more.csv"
    more.write_text("a,y\nx,1\nnew,3\n")
    home = Home(tmp_path / "home")
    batch = stage_batch(config(tmp_path), home, [str(more)])
    assert (batch.rows, batch.known) == (2, 1)
    assert accept_batch(home, batch, report(batch)).rows == 3
    assert stage_batch(config(tmp_path), home, [str(more)]).rows == 0
    assert stage_batch(config(tmp_path), home).rows == 0


def test_a_changed_definition_takes_all_rows_again_and_loses_none(tmp_path: Path) -> None:
    take_in(tmp_path, "a,y,n\nx,1,7\nold,2,8\nbad,3,9\n", {2: "bad"})
    text = "a,y,n\nx,1,7\nnew,4,6\n"  # `old` and `bad` are not in the source any longer
    batch, snapshot = take_in(tmp_path, text, n="number")
    assert batch.rows == 4
    frame = read_snapshot(snapshot)
    assert frame["a"].tolist() == ["x", "new", "old", "bad"]
    assert frame["n"].tolist()[:2] == [7, 6]
    assert frame["n"].isna().tolist()[2:] == [True, True]
    assert quarantined_rows(Home(tmp_path / "home"), "p") == 0
    assert take_in(tmp_path, text, n="number")[0].rows == 0
    assert take_in(tmp_path, text)[1].rows == 4
