"""What a file may be like, and what is said of one that cannot be used."""

import gzip
import pickle
from datetime import datetime
from pathlib import Path

import pandas as pd
import pytest

from pipelines.config import Format, PipelineConfig
from pipelines.data.sources import find_files, read_table
from pipelines.errors import DataError

BAD_FILES = {
    "empty.csv": (b"", "0 bytes"),
    "blank.csv": (b"\n\n", "no line has anything"),
    "header.csv": (b"a,b\n", "no rows"),
    "short.csv": (b"a,b\n1,2\n3\n", "line 3: 1 cells where 2"),
    "long.csv": (b"a,b\n\n1,2\n3,4,5\n", "line 4: 3 cells where 2"),
    "twice.csv": (b"a, a\n1,2\n", "named twice: a"),
    "binary.csv": (b"a,b\n1,\0\n", "NUL byte at 6"),
    "cut.parquet": (b"PAR1abcdefgh", "not a whole Parquet"),
    "text.parquet": (b"hello, I am text", "not a whole Parquet"),
    "open.csv": (b'a,b\n"1,2\n3,4\n', "line 3"),
    "cut.csv.gz": (gzip.compress(b"a,b\n1,2\n")[:-9], "cannot be read"),
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


def config(**columns: str) -> PipelineConfig:
    return PipelineConfig.model_validate(
        {
            "pipeline": "p",
            "task": "regression",
            "metric": "rmse",
            "data": {"source": "t.csv", "target": "y", "format": {"day_first": True}},
            "columns": {**{name: {"type": kind} for name, kind in columns.items()}, "y": {"type": "number"}},
        }
    )


def test_coerce_gives_stable_types_and_counts_what_does_not_fit() -> None:
    frame = pd.DataFrame(
        {
            "y": ["1", "2.5", "many"],
            "code": [3067.0, None, 12.0],
            "when": ["3/12/2016", "2016-12-03T10:00:00+02:00", "soon"],
            "note": ["007", None, "1.0"],
            "unknown": [1, 2, 3],
        }
    )
    result = coerce(frame, config(code="category", when="time", note="text"))
    assert list(result) == ["code", "when", "note", "y"]
    assert result["code"].tolist() == ["3067", None, "12"]
    assert result["when"].tolist()[:2] == [datetime(2016, 12, 3), datetime(2016, 12, 3, 8)]
    assert result["note"].tolist() == ["007", None, "1.0"]
    assert result.dtypes.astype(str).tolist() == ["object", "datetime64[us]", "object", "float64"]
    assert result.attrs["unparsed"] == {"y": 1, "when": 1}


def test_types_do_not_depend_on_the_values() -> None:
    empty = pd.DataFrame({"y": [None], "code": [None], "when": [None], "note": [None]})
    result = coerce(empty, config(code="category", when="time", note="text"))
    assert result.dtypes.astype(str).tolist() == ["object", "datetime64[us]", "object", "float64"]


def test_csv_and_parquet_give_the_same_rows(tmp_path: Path) -> None:
    frame = pd.DataFrame(
        {
            "code": [1, 2],
            "when": pd.to_datetime(["2020-01-01 00:00:00", "2020-01-02 03:04:05"]),
            "y": [0.1, 2],
        }
    )
    frame.to_csv(tmp_path / "t.csv", index=False)
    frame.to_parquet(tmp_path / "t.parquet")
    wanted = config(code="category", when="time")
    tables = [coerce(read_table(tmp_path / name, Format()), wanted) for name in ("t.csv", "t.parquet")]
    pd.testing.assert_frame_equal(*tables)


def test_unix_times_and_decimal_commas() -> None:
    frame = pd.DataFrame({"when": [1_600_000_000, 1_600_000_000_000], "y": ["1", "2"]})
    assert coerce(frame, config(when="time"))["when"].nunique() == 1
    german = config(x="number")
    german = german.model_copy(
        update={"data": german.data.model_copy(update={"format": Format(decimal=",")})}
    )
    assert coerce(pd.DataFrame({"x": ["1,5"], "y": [2]}), german)["x"].tolist() == [1.5]


def test_a_missing_column_is_named_with_those_found() -> None:
    with pytest.raises(DataError, match=r"no column the target 'y'.*Columns found: code, Y") as caught:
        coerce(pd.DataFrame({"code": [1], "Y": [2]}), config(code="category"))
    assert caught.value.hint
