"""CSV in every way that people write it: read right, or told where it is wrong."""

import bz2
import csv
import gzip
import io
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipelines.config import Format
from pipelines.data.sources import MISSING, csv_text, open_source, streams
from pipelines.data.sources.records import RecordCutter
from pipelines.data.sources.source import local_source
from pipelines.errors import ConfigError, DataError


def read(path: Path, fmt: Format | None = None, numbers: frozenset[str] = frozenset()) -> pa.Table:
    with open_source(local_source(path), fmt or Format()) as reading:
        return pa.concat_tables(reading.tables(numbers))


def said(path: Path, fmt: Format | None = None) -> str:
    with pytest.raises(DataError) as caught:
        read(path, fmt)
    assert str(path) in caught.value.message
    assert caught.value.hint
    return caught.value.message


def columns(path: Path, fmt: Format | None = None) -> dict[str, list[Any]]:
    return dict(read(path, fmt).to_pydict())


# ---------------------------------------------------------------------------------------------- round trip

TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8)
SPECIAL = st.sampled_from(['"', "'", ",", ";", "\n", "\r", "\r\n", '""', 'a"b', "\ufeff", " x ", "NA", "é"])
DIALECTS = st.fixed_dictionaries(
    {
        "delimiter": st.sampled_from(",;\t|^ "),
        "quotechar": st.sampled_from("\"'"),
        "quoting": st.sampled_from([csv.QUOTE_ALL, csv.QUOTE_MINIMAL, csv.QUOTE_NONNUMERIC]),
        "lineterminator": st.sampled_from(["\n", "\r\n", "\r"]),
    }
)


@given(
    st.integers(1, 4).flatmap(
        lambda width: st.lists(
            st.lists(TEXTS | SPECIAL, min_size=width, max_size=width), min_size=1, max_size=12
        )
    ),
    DIALECTS,
    st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
    st.sampled_from([1, 7, 64, 1 << 20]),
)
@settings(max_examples=120, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_what_a_writer_wrote_is_read(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    rows: list[list[str]],
    dialect: dict[str, Any],
    encoding: str,
    block: int,
) -> None:
    monkeypatch.setattr(csv_text, "BLOCK", block)
    monkeypatch.setattr(streams, "HEAD", max(block, 32))
    if dialect["quoting"] == csv.QUOTE_MINIMAL and any(
        set(cell) & {"\r", "\n"} for row in rows for cell in row
    ):
        dialect = {**dialect, "lineterminator": "\r\n"}  # the csv module quotes the breaks in its own alone
    text = io.StringIO(newline="")
    writer = csv.writer(text, **dialect)
    writer.writerow([f"name{i}" for i in range(len(rows[0]))])
    writer.writerows(rows)
    path = tmp_path / "t.csv"
    path.write_bytes(text.getvalue().encode(encoding))
    expected = [[None if cell.strip() in MISSING else cell.strip() for cell in row] for row in rows]
    fmt = Format(delimiter=dialect["delimiter"], quote=dialect["quotechar"], encoding=encoding)
    found = [list(row.values()) for row in read(path, fmt).to_pylist()]
    assert found == expected


@given(st.lists(st.sampled_from(['"', ",", "a", "\n", "\r", '""', 'x"y', '"q,\n"']), max_size=30), st.data())
@settings(max_examples=300, deadline=None)
def test_records_end_where_the_csv_module_ends_them(parts: list[str], data: st.DataObject) -> None:
    text = "".join(parts) + "\n"
    cutter = RecordCutter(",", '"')
    end = cutter.end_of_records(text.encode(), last=False)
    taken, ends = 0, [0]

    def lines() -> Any:
        nonlocal taken
        for line in io.StringIO(text, newline=""):
            taken += len(line)
            yield line

    ends += [taken for _ in csv.reader(lines())]
    assert end in ends


# --------------------------------------------------------------------------------------------- spellings


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_line_ends(tmp_path: Path, end: str) -> None:
    (tmp_path / "t.csv").write_bytes(end.join(["a,b", "1,x", "2,y"]).encode())
    assert columns(tmp_path / "t.csv") == {"a": ["1", "2"], "b": ["x", "y"]}


def test_mixed_line_ends_and_lines_in_quotes(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_bytes(b'a,b\r\n1,"x\ny"\n2,"u\r\nv"\r3,w\n')
    assert columns(tmp_path / "t.csv") == {"a": ["1", "2", "3"], "b": ["x\ny", "u\r\nv", "w"]}


@pytest.mark.parametrize(
    "encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "cp1252"]
)
def test_encodings_are_found(tmp_path: Path, encoding: str) -> None:
    text = "name,town\n" + "".join(f"{i},Málaga\n" for i in range(50))
    (tmp_path / "t.csv").write_bytes(text.encode(encoding))
    assert set(columns(tmp_path / "t.csv")["town"]) == {"Málaga"}


def test_latin_1_far_behind_the_head(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "HEAD", 100)
    monkeypatch.setattr(csv_text, "BLOCK", 100)
    (tmp_path / "t.csv").write_bytes(b"a,b\n" + b"1,x\n" * 200 + "2,é\n".encode("latin-1"))
    with open_source(local_source(tmp_path / "t.csv"), Format()) as reading:
        assert pa.concat_tables(reading.tables()).column("b")[-1].as_py() == "é"
        assert reading.found["encoding"] == "cp1252"
    (tmp_path / "t.csv").write_bytes("a,b\n1,ü\n".encode() + b"1,x\n" * 200 + "2,é\n".encode("latin-1"))
    assert "is not utf-8: invalid continuation byte at byte 811" in said(tmp_path / "t.csv")


@pytest.mark.parametrize(
    "pack", [gzip.compress, bz2.compress, lambda data: pa.compress(data, "zstd", asbytes=True)]
)
def test_packed_by_content_not_by_name(tmp_path: Path, pack: Any) -> None:
    (tmp_path / "t.csv").write_bytes(pack(b"a,b\n1,x\n"))
    assert columns(tmp_path / "t.csv") == {"a": ["1"], "b": ["x"]}


def test_gzip_in_members(tmp_path: Path) -> None:
    (tmp_path / "t.csv.gz").write_bytes(gzip.compress(b"a\n1\n") + gzip.compress(b"2\n"))
    assert columns(tmp_path / "t.csv.gz") == {"a": ["1", "2"]}


def test_a_cell_of_20_megabytes(tmp_path: Path) -> None:
    long = "x" * (20 << 20)
    (tmp_path / "t.csv").write_text(f'a,b\n1,"{long}"\n2,y\n')
    assert columns(tmp_path / "t.csv")["b"] == [long, "y"]


def test_numbers_where_all_cells_are_numbers(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("a,b,c,d\n1,1e3,inf,1\n 2 ,,3,many\nNA,-.5,4,3\n")
    table = read(tmp_path / "t.csv", numbers=frozenset("abcd"))
    assert table.to_pydict() == {
        "a": [1, 2, None],
        "b": [1000, None, -0.5],
        "c": ["inf", "3", "4"],
        "d": ["1", "many", "3"],
    }


# --------------------------------------------------------------------------------------------------- wrong


def test_the_line_of_what_is_wrong(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csv_text, "BLOCK", 1000)
    monkeypatch.setattr(streams, "HEAD", 1000)
    path, good = tmp_path / "t.csv", b'1,"x\ny"\r\n' * 500
    path.write_bytes(b"a,b\n" + good + b"1,2,3\n" + good)
    assert "line 1,002: 3 cells where 2 columns" in said(path)
    path.write_bytes(b"a,b\n" + good + b"1,\0\n" + good)
    assert "a NUL byte at 4,506, line 1,002" in said(path)
    path.write_bytes(b"a,b\n" + good + b'1,"open\n' + b"1,2\n" * 50)
    assert "line 1,002: a quote" in said(path)
    path.write_bytes(b"a,b\n1,2\n" + b'"open,2\n' + b"3,4\n" * 9 + b'"x\n')
    assert "line 3: 1 cell where 2 columns were expected; its quotes run over 11 lines" in said(path)
    path.write_bytes(b"a,b\n" + b"1,2\n" * 500 + b'1,5" pipe\n' + b"1,2\n" * 500)
    assert read(path).num_rows == 1001


def test_a_row_without_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csv_text, "RECORD_MOST", 10_000)
    monkeypatch.setattr(csv_text, "BLOCK", 1000)
    monkeypatch.setattr(streams, "HEAD", 1000)
    (tmp_path / "t.csv").write_text("a,b\n1,2\n" + "x" * 20_000)
    assert "line 3: a row of more than" in said(tmp_path / "t.csv")
    (tmp_path / "t.csv").write_text('a,b\n1,2\n3,"' + "x\n" * 20_000)
    assert "line 3: a quote" in said(tmp_path / "t.csv")


def test_another_encoding_than_was_said(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_bytes("a,b\n1,é\n".encode("latin-1"))
    assert "is not utf-8: invalid continuation byte at byte 6" in said(
        tmp_path / "t.csv", Format(encoding="utf-8")
    )
    assert "unknown encoding 'klingon'" in said(tmp_path / "t.csv", Format(encoding="klingon"))


@pytest.mark.parametrize(
    "fmt", [Format(delimiter="§"), Format(delimiter=",", quote=","), Format(delimiter="\n")]
)
def test_marks_that_cannot_be(tmp_path: Path, fmt: Format) -> None:
    (tmp_path / "t.csv").write_text("a,b\n1,2\n")
    with pytest.raises(ConfigError):
        read(tmp_path / "t.csv", fmt)


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress])
def test_packed_and_damaged(tmp_path: Path, pack: Any) -> None:
    path = tmp_path / "t.csv.gz"
    whole = pack(b"a,b\n" + b"".join(b"%d,%d\n" % (i, i * i) for i in range(200_000)))
    path.write_bytes(whole[: len(whole) // 2])
    assert "cut short or corrupt" in said(path)
    middle = len(whole) // 2
    path.write_bytes(
        whole[:middle] + bytes(255 - byte for byte in whole[middle : middle + 40]) + whole[middle + 40 :]
    )
    assert "cut short or corrupt" in said(path)


def test_a_bomb_is_not_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "EXPANSION_ALLOWED", 1 << 20)
    (tmp_path / "t.csv.gz").write_bytes(gzip.compress(b"a,b\n" + b"1,2\n" * 10_000_000))
    assert "bytes when unpacked: more than 100 times" in said(tmp_path / "t.csv.gz")
    assert read(tmp_path / "t.csv.gz", Format(most_expansion=2000)).num_rows == 10_000_000


def test_a_file_that_grows_while_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("a,b\n1,2\n")
    with open_source(local_source(path), Format()) as reading:
        tables = reading.tables()
        path.write_text("a,b\n1,2\n3")
        with pytest.raises(DataError, match="still being written"):
            list(tables)


def test_terminal_escapes_in_names_are_shown(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_bytes(b"\x1b[31ma,\x1b[31ma\n1,2\n")
    assert "\x1b" not in said(tmp_path / "t.csv")
