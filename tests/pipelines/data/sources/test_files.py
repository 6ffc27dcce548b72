"""What a file may be like, and what is said of one that cannot be used."""

import gzip
import pickle
from pathlib import Path

import pandas as pd
import pytest

from pipelines.config import Format
from pipelines.data.sources import find_files, open_source, opening, read_table
from pipelines.data.sources.source import local_source
from pipelines.errors import DataError

BAD_FILES = {
    "empty.csv": (b"", "0 bytes"),
    "blank.csv": (b"\n\n", "no line has anything"),
    "header.csv": (b"a,b\n", "no rows"),
    "short.csv": (b"a,b\n1,2\n3\n", "line 3: 1 cell where 2"),
    "long.csv": (b"a,b\n\n1,2\n3,4,5\n", "line 4: 3 cells where 2"),
    "twice.csv": (b"a, a\n1,2\n", "named twice: a"),
    "binary.csv": (b"a,b\n1,\0\n", "NUL byte at 6"),
    "cut.parquet": (b"PAR1abcdefgh", "not a whole Parquet"),
    "text.parquet": (b"hello, I am text", "not a whole Parquet"),
    "open.csv": (b'a,b\n"1,2\n3,4\n', "line 2: a quote"),
    "cut.csv.gz": (gzip.compress(b"a,b\n1,2\n")[:-9], "cannot be unpacked"),
    "code.pkl": (pickle.dumps({"a": [1]}), "can run code"),
}


@pytest.mark.parametrize("name", BAD_FILES)
def test_a_bad_file_is_answered_with_what_and_where(tmp_path: Path, name: str) -> None:
    content, said = BAD_FILES[name]
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError) as caught:
        read_table(tmp_path / name, Format())
    assert said in caught.value.message
    assert str(tmp_path / name) in caught.value.message
    assert caught.value.hint


def test_a_truncated_parquet_file_is_refused(tmp_path: Path) -> None:
    whole, cut = tmp_path / "whole.parquet", tmp_path / "cut.parquet"
    pd.DataFrame({"a": range(1000)}).to_parquet(whole)
    cut.write_bytes(whole.read_bytes()[:-100])
    assert len(read_table(whole, Format())) == 1000
    with pytest.raises(DataError, match="not a whole Parquet"):
        read_table(cut, Format())


@pytest.mark.parametrize(
    ("text", "fmt"),
    [
        (b"a,b\n1,x\n2,\n", Format()),
        (b"\xef\xbb\xbfa;b\n1;x\n2;NA\n", Format()),
        (b" a\tb \r\n1\t x \r\n\r\n2\t?\r\n", Format(missing=["?"])),
        ("a,b\n1,x\n2,\n".encode("utf-16"), Format()),
        (gzip.compress(b"a|b\n1|x\n2|null\n"), Format()),
        (b'"a","b"\n"1","x"\n"2",""\n', Format()),
    ],
)
def test_spellings_of_the_same_table(tmp_path: Path, text: bytes, fmt: Format) -> None:
    path = tmp_path / ("t.csv.gz" if text[:2] == b"\x1f\x8b" else "t.csv")
    path.write_bytes(text)
    frame = read_table(path, fmt)
    assert frame.to_dict("list") == {"a": ["1", "2"], "b": ["x", None]}


def test_headerless_and_latin_1(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_bytes("1,Málaga\n2,Orléans\n".encode("latin-1"))
    frame = read_table(tmp_path / "t.csv", Format(header=False))
    assert frame.to_dict("list") == {"c0": ["1", "2"], "c1": ["Málaga", "Orléans"]}


def test_quoted_lines_and_a_quoted_header(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text('"a\nb",c\n"x\ny",1\n')
    assert read_table(tmp_path / "t.csv", Format()).to_dict("list") == {"a\nb": ["x\ny"], "c": ["1"]}


def test_find_files(tmp_path: Path) -> None:
    for name in ("b.csv", "a.csv", "c.parquet", "notes.md"):
        (tmp_path / name).write_text("x")
    (tmp_path / "empty").mkdir()
    names = lambda source: [file.name for file in find_files(source, tmp_path)]  # noqa: E731
    assert names("a.csv") == ["a.csv"]
    assert names(".") == ["a.csv", "b.csv", "c.parquet"]
    assert names("*.csv") == ["a.csv", "b.csv"]
    assert names(["b.csv", "*.csv"]) == ["b.csv", "a.csv"]
    for source in ("none.csv", "empty", "*.tsv", [], "s3://bucket/a.csv"):
        with pytest.raises(DataError):
            find_files(source, tmp_path)


def test_a_writer_that_pauses_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The last cell is cut where it stands; after the pause it is whole, and the file another one."""
    path = tmp_path / "t.csv"
    path.write_text("a,y\nx,1\nye")
    source = local_source(path)
    monkeypatch.setattr(opening, "SETTLED", 1.0)
    monkeypatch.setattr(opening.time, "sleep", lambda _seconds: path.write_text("a,y\nx,1\nyes,2\n"))
    with pytest.raises(DataError, match="still being written"), open_source(source, Format()) as reading:
        list(reading.tables())
