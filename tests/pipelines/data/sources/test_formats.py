"""Formats beside CSV: JSON Lines, Parquet, Arrow, Delta; files that are not what they are called."""

import gzip
import io
import json
import os
import pickle
import zipfile
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from pyarrow import feather, ipc, parquet

from pipelines.config import Data, Format
from pipelines.data.sources import find_sources, json_lines, open_source, sample_rows
from pipelines.data.sources.source import local_source
from pipelines.errors import DataError


def read(path: Path, numbers: frozenset[str] = frozenset()) -> pa.Table:
    with open_source(local_source(path), Format()) as reading:
        return pa.concat_tables(reading.tables(numbers))


def said(path: Path) -> str:
    with pytest.raises(DataError) as caught:
        read(path)
    assert str(path) in caught.value.message
    assert caught.value.hint
    return caught.value.message


# ---------------------------------------------------------------------------------------------- JSON Lines


@pytest.mark.parametrize("name", ["t.jsonl", "t.csv", "t.jsonl.gz"])
def test_json_lines_by_content(tmp_path: Path, name: str) -> None:
    lines = [
        '{"a": 1, "b": "x ", "c": 1.50, "d": true}',
        "",
        '{"b": "NA", "a": 12345678901234567890, "e": null}',
    ]
    text = "\n".join(lines).encode()
    (tmp_path / name).write_bytes(gzip.compress(text) if name.endswith("gz") else text)
    assert read(tmp_path / name).to_pydict() == {
        "a": ["1", "12345678901234567890"],
        "b": ["x", None],
        "c": ["1.50", None],
        "d": ["true", None],
        "e": [None, None],
    }


def test_json_numbers_are_fast_where_they_are_wanted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_lines, "BLOCK", 1000)
    monkeypatch.setattr(json_lines, "FIRST", 1000)
    monkeypatch.setattr(json_lines, "HEAD", 1000)
    rows = [{"when": "2024-01-01 00:00:00", "code": i, "x": i / 4, "y": i} for i in range(1000)]
    path = tmp_path / "t.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)))
    table = read(path, frozenset("xy"))
    assert table.schema.types == [pa.string(), pa.string(), pa.float64(), pa.float64()]
    assert table.to_pylist() == [row | {"code": str(row["code"])} for row in rows]
    rows[700]["y"] = "many"
    path.write_text("\n".join(map(json.dumps, rows)))
    with open_source(local_source(path), Format()) as reading:
        tables = list(reading.tables(frozenset("xy")))
    assert sum(table.num_rows for table in tables) == 1000
    assert "many" in [value for table in tables for value in table.column("y").to_pylist()]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('{"a": {"b": 1}}', "line 3: column 'a' holds a nested value"),
        ('{"a": [1]}', "line 3: column 'a' holds a nested value"),
        ('{"a": 1', "line 3: not JSON"),
        ("[1]", "line 3: not a JSON object"),
        ('{"a": 1, "a": 2}', "line 3: the key 'a' stands twice"),
    ],
)
def test_bad_json_lines(tmp_path: Path, line: str, words: str) -> None:
    (tmp_path / "t.jsonl").write_text('{"a": 1}\n\n' + line + '\n{"a": 1}\n')
    assert words in said(tmp_path / "t.jsonl")


def test_bad_json_behind_the_first_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("BLOCK", "FIRST", "HEAD"):
        monkeypatch.setattr(json_lines, name, 100)
    good = '{"a": 1}\n' * 100
    for line, words in (
        ('{"a": 1, "a": 2}', "stands twice"),
        ('{"z": 1}', "'z' is new"),
        ('{"a"', "not JSON"),
    ):
        (tmp_path / "t.jsonl").write_text(good + line + "\n" + good)
        assert "line 101: " in said(tmp_path / "t.jsonl")
        assert words in said(tmp_path / "t.jsonl")
    (tmp_path / "t.json").write_text('[\n{"a": 1}\n]')
    assert "one JSON document" in said(tmp_path / "t.json")


# ------------------------------------------------------------------------------------------ columnar files

TABLE = pa.table(
    {
        " word ": pa.array([" x ", "NA", None]).dictionary_encode(),
        "exact": pa.array([Decimal("1.10"), None, Decimal("2.25")]),
        "day": pa.array([date(2024, 1, 1), None, date(2024, 1, 2)]),
        "when": pa.array(
            [datetime(2024, 1, 1), None, datetime(2024, 1, 2)], pa.timestamp("ns", "Europe/Berlin")
        ),
        "yes": pa.array([True, None, False]),
        "n": pa.array([1, None, 3], pa.int16()),
        "none": pa.nulls(3),
    }
)


def write_arrow(path: Path, opening: Any) -> None:
    with opening(path, TABLE.schema) as writer:
        writer.write_table(TABLE)


@pytest.mark.parametrize(
    ("name", "write"),
    [
        ("t.parquet", lambda path: parquet.write_table(TABLE, path)),
        ("named.csv", lambda path: parquet.write_table(TABLE, path)),
        ("t.arrow", lambda path: write_arrow(path, ipc.new_file)),
        ("t.arrows", lambda path: write_arrow(path, ipc.new_stream)),
        ("t.feather", lambda path: feather.write_feather(TABLE, path)),
        ("t.delta", lambda path: __import__("deltalake").write_deltalake(path, TABLE.drop_columns("none"))),
    ],
)
def test_columnar_formats_keep_their_types(tmp_path: Path, name: str, write: Any) -> None:
    write(str(tmp_path / name))
    [source] = find_sources(Data(source=name, target="n"), tmp_path)
    with open_source(source, Format()) as reading:
        table = pa.concat_tables(reading.tables())
        assert reading.types is not None
        assert table.schema.equals(reading.types)
    assert table.column_names[:6] == ["word", "exact", "day", "when", "yes", "n"]
    assert table.column("word").to_pylist() == ["x", None, None]
    assert table.column("exact").to_pylist() == [Decimal("1.10"), None, Decimal("2.25")]
    assert table.column("day").to_pylist()[2] == date(2024, 1, 2)
    assert pa.types.is_int16(table.schema.field("n").type)


def test_nested_empty_and_binary_columns(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    parquet.write_table(pa.table({"a\x1b": [[1]], "b": [{"c": 1}], "d": [1]}), path)
    assert "nested columns: a" in said(path)
    assert "\x1b" not in said(path)
    parquet.write_table(pa.table({"a": pa.array([], pa.int64())}), path)
    assert "columns and no rows" in said(path)
    parquet.write_table(pa.table({"a": [b"\xff\xfe"]}), path)
    assert "not a whole Parquet file: Invalid UTF8" in said(path) or "UTF8" in said(path)
    parquet.write_table(pa.table({"a": [b"x"]}), path)
    assert read(path).to_pydict() == {"a": ["x"]}


def test_a_delta_table_is_read_as_it_was_found(tmp_path: Path) -> None:
    import deltalake

    deltalake.write_deltalake(tmp_path / "t", pa.table({"a": [1]}))
    [source] = find_sources(Data(source=".", target="a"), tmp_path)
    deltalake.write_deltalake(tmp_path / "t", pa.table({"a": [2]}), mode="append")
    with open_source(source, Format()) as reading:
        assert pa.concat_tables(reading.tables()).to_pydict() == {"a": [1]}
    assert find_sources(Data(source="t", target="a"), tmp_path)[0].stamp != source.stamp
    (tmp_path / "bad" / "_delta_log").mkdir(parents=True)
    with pytest.raises(DataError, match="not a whole Delta table"):
        find_sources(Data(source="bad", target="a"), tmp_path)


def test_damaged_columnar_files(tmp_path: Path) -> None:
    for name, write in (("t.parquet", parquet.write_table), ("t.arrow", feather.write_feather)):
        path = tmp_path / name
        write(pa.table({"a": np.random.default_rng(0).normal(size=100_000)}), path)
        whole = path.read_bytes()
        path.write_bytes(whole[:-100])
        assert "not a whole" in said(path)
    path = tmp_path / "t.parquet"
    parquet.write_table(pa.table({"a": ["x" * 50] * 1000}), path, compression="snappy")
    whole = path.read_bytes()
    path.write_bytes(whole[:4] + b"\xff" * 60 + whole[64:])
    assert "not a whole Parquet file" in said(path)


# ----------------------------------------------------------------------------------------- not what it says


class Bomb:
    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, ("exploded",)


def zipped() -> bytes:
    box = io.BytesIO()
    with zipfile.ZipFile(box, "w") as archive:
        archive.writestr("xl/workbook.xml", "<workbook/>")
    return box.getvalue()


def numpy_file() -> bytes:
    box = io.BytesIO()
    np.save(box, np.array([Bomb()], dtype=object), allow_pickle=True)
    return box.getvalue()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (pickle.dumps(Bomb()), "can run code"),
        (gzip.compress(pickle.dumps(Bomb())), "can run code"),
        (numpy_file(), "can run code"),
        (zipped(), "zip archive"),
        (b"SQLite format 3\0" + bytes(100), "SQLite"),
        (b"\x89HDF\r\n\x1a\n", "HDF5"),
        (b"%PDF-1.7", "PDF"),
        (gzip.compress(b""), "0 bytes when unpacked"),
        (gzip.compress(b"PAR1" + bytes(100)), "packed parquet file"),
    ],
)
@pytest.mark.parametrize("name", ["t.csv", "t.parquet"])
def test_what_is_no_table_is_refused_and_never_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes, words: str, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / name).write_bytes(content)
    assert words in said(tmp_path / name)
    assert not (tmp_path / "exploded").exists()


def test_text_that_begins_like_something_else(tmp_path: Path) -> None:
    for head in ("ORC,b", "x^2,b", "BZhang,b", "PKs,b", "Obj,b"):
        (tmp_path / "t.csv").write_text(f"{head}\n1,2\n")
        assert read(tmp_path / "t.csv").num_rows == 1


# ------------------------------------------------------------------------------------------------ finding


def test_places_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "link.csv").symlink_to(tmp_path / "gone.csv")
    (tmp_path / "folder.csv").mkdir()
    (tmp_path / "folder.csv" / "_SUCCESS").touch()
    (tmp_path / "folder.csv" / ".a.csv").touch()
    for name, words in (
        ("link.csv", "is a link to"),
        ("folder.csv", "without tables"),
        ("none.csv", "no such file"),
        ("*.tsv", "no such file"),
    ):
        with pytest.raises(DataError, match=words):
            find_sources(Data(source=name, target="y"), tmp_path)
    with pytest.raises(DataError, match="is a folder"):
        open_source(local_source(tmp_path / "folder.csv"), Format())
    os.mkfifo(tmp_path / "pipe.csv")
    with pytest.raises(DataError, match="is no file"):
        find_sources(Data(source="pipe.csv", target="y"), tmp_path)


def test_a_file_of_somebody_else(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("a\n1\n")
    path.chmod(0)
    root = os.geteuid() == 0
    if root:
        os.seteuid(65534)  # whoever is root may read all
    try:
        with pytest.raises(DataError, match="Permission denied"):
            open_source(find_sources(Data(source=str(path), target="a"), Path())[0], Format())
    finally:
        if root:
            os.seteuid(0)


def test_sources_once_with_variables_and_extras(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("a.csv", "b.csv.zst", "c.jsonl", "_d.csv", ".e.csv", "sub/f.csv", "x.arrow"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("a\n1\n")
    monkeypatch.setenv("PLACE", str(tmp_path))
    monkeypatch.chdir(tmp_path / "sub")
    names = lambda source, extra=None: [  # noqa: E731
        Path(found.uri).name for found in find_sources(Data(source=source, target="a"), tmp_path, extra)
    ]
    assert names("${PLACE}") == ["a.csv", "b.csv.zst", "c.jsonl", "x.arrow"]
    assert names(f"file://{tmp_path}/a.csv", ["f.csv", f"{tmp_path}/a.csv"]) == ["a.csv", "f.csv"]
    assert names("**/*.csv") == ["a.csv", "f.csv"]


def test_a_sample_is_even_and_bounded(tmp_path: Path) -> None:
    for i in range(3):
        pd.DataFrame({"a": range(i * 1000, i * 1000 + 1000)}).to_csv(tmp_path / f"{i}.csv", index=False)
    sources = find_sources(Data(source=".", target="a"), tmp_path)
    frame, rows, whole = sample_rows(sources, Format(), most=400)
    assert (rows, whole, len(frame)) == (3000, False, 375)
    assert frame["a"].astype(int).tolist() == list(range(0, 3000, 8))
    assert sample_rows(sources, Format()).whole
