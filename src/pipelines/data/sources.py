"""Files into tables of text: find them, find out how they are written, read them strictly.

What a file holds is never guessed here: `columns.coerce` gives each column the type of the definition.
"""

from __future__ import annotations

import csv
import glob
import gzip
import io
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.config import Format
from pipelines.data.columns import coerce
from pipelines.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["coerce", "find_files", "first_cells", "read_table", "sniff_delimiter", "text_head"]

CSV_ENDINGS = (".csv", ".csv.gz")
PARQUET_ENDINGS = (".parquet", ".pq")
PICKLES = (".pkl", ".pickle", ".joblib", ".npy")  # loading one runs what its writer put in it
DELIMITERS = ",;\t|"
BOMS = {b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16", b"\xef\xbb\xbf": "utf-8"}
BLOCK = 1 << 24  # bytes; Arrow wants each row, however long its text, inside one block
MISSING = (
    *("", "NA", "N/A", "n/a", "NaN", "nan", "-nan", "-NaN", "NULL", "null", "None", "<NA>", "#N/A", "#NA"),
    *("#N/A N/A", "1.#IND", "1.#QNAN", "-1.#IND", "-1.#QNAN"),
)


# ------------------------------------------------------------------------------------------------ finding


def find_files(source: str | list[str], folder: Path) -> list[Path]:
    """The files that a source names, each once: a file, a folder's tables, or a glob, relative to `folder`.

    Raises DataError when a part of the source names nothing.
    """
    parts = [source] if isinstance(source, str) else source
    found = [file for part in parts for file in files_of(part, folder)]
    if not found:
        raise DataError("data.source is empty.", "Name a CSV or Parquet file, a folder of them, or a glob.")
    return list(dict.fromkeys(found))


def files_of(part: str, folder: Path) -> list[Path]:
    path = folder / local_path(part)
    if path.is_dir():
        endings = CSV_ENDINGS + PARQUET_ENDINGS
        found = sorted(
            file for file in path.iterdir() if file.name.lower().endswith(endings) and file.is_file()
        )
        if not found:
            raise DataError(
                f"{path} is a folder without tables in it.", "Expected *.csv, *.csv.gz or *.parquet there."
            )
        return found
    if path.exists():
        return [path]
    found = sorted(Path(match) for match in glob.glob(str(path), recursive=True) if Path(match).is_file())
    if not found:
        raise DataError(
            f"{path}: there is no such file.", "Give the path of a CSV or Parquet file, or a glob."
        )
    return found


def local_path(part: str) -> Path:
    scheme, mark, rest = part.partition("://")
    if mark and scheme != "file":
        raise DataError(
            f"{part}: {scheme}:// cannot be read here.", "Copy the file to this machine and name its path."
        )
    return Path(rest if mark else part).expanduser()


# ------------------------------------------------------------------------------------------------ reading


def read_table(path: Path, fmt: Format) -> pd.DataFrame:
    """A file's rows as they are written: CSV cells as text, None where missing; Parquet with its own types.

    Raises DataError for what cannot be read whole: missing, empty, cut short, ragged, binary, names twice.
    """
    if path.is_dir():
        raise DataError(f"{path} is a folder.", "Expected a CSV or Parquet file.")
    if path.name.lower().endswith(PICKLES):
        raise DataError(
            f"{path}: pickled data is not loaded, since it can run code.", "Save it as CSV or Parquet."
        )
    try:
        with path.open("rb") as file:
            head = file.read(1 << 16)
        if not head:
            raise DataError(
                f"{path} is empty: 0 bytes.", "Expected a line of column names and rows below it."
            )
        parquet = head[:4] == b"PAR1" or path.name.lower().endswith(PARQUET_ENDINGS)
        table = read_parquet(path) if parquet else read_csv(path, fmt)
    except FileNotFoundError as error:
        raise DataError(
            f"{path}: there is no such file.", "Give the path of a CSV or Parquet file."
        ) from error
    except (OSError, EOFError) as error:
        raise DataError(
            f"{path} cannot be read: {error}.", "Check that the file is whole and yours to read."
        ) from error
    return tidy(table, path, fmt).to_pandas()  # type: ignore[no-any-return]


def read_parquet(path: Path) -> Any:
    import pyarrow as pa
    from pyarrow import parquet

    try:
        return parquet.ParquetFile(path).read()
    except (pa.ArrowException, OSError) as error:
        reason = str(error).splitlines()[0].rstrip(".")
        raise DataError(
            f"{path} is not a whole Parquet file: {reason}.",
            "It may be cut short: copy it or write it again.",
        ) from error


def read_csv(path: Path, fmt: Format) -> Any:
    """A CSV file as an Arrow table of strings."""
    raw = read_bytes(path)
    encoding = fmt.encoding or next((name for bom, name in BOMS.items() if raw.startswith(bom)), "utf-8")
    if b"\0" in raw and "16" not in encoding and "32" not in encoding:
        raise DataError(
            f"{path} is not text: it has a NUL byte at {raw.index(0):,}.",
            "Expected a CSV file, or *.parquet.",
        )
    try:
        text = raw.decode(encoding)
    except UnicodeDecodeError as error:
        if fmt.encoding is not None:
            raise DataError(
                f"{path} is not {encoding}: {error.reason} at byte {error.start:,}.", "Mend format.encoding."
            ) from error
        text = raw.decode("latin-1")
    except LookupError as error:
        raise DataError(f"{path}: unknown encoding {encoding!r}.", "Mend format.encoding.") from error
    return parse_csv(text.removeprefix("\ufeff"), path, fmt)


def read_bytes(path: Path) -> bytes:
    raw = path.read_bytes()
    return gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw


def text_head(path: Path) -> str:
    """The first lines of a text file, for looking at how it is written; never fails on what they say."""
    try:
        with gzip.open(path) if path.name.lower().endswith(".gz") else path.open("rb") as file:
            head = file.read(1 << 16)
    except (OSError, EOFError):
        return ""
    name = next((name for bom, name in BOMS.items() if head.startswith(bom)), "utf-8")
    return head.decode(name, errors="replace").removeprefix("\ufeff")


def parse_csv(text: str, path: Path, fmt: Format) -> Any:
    import pyarrow as pa
    from pyarrow import csv as arrow_csv

    delimiter = fmt.delimiter or sniff_delimiter(text[: 1 << 16])
    names = header_names(text, delimiter, fmt.header, path)
    read = arrow_csv.ReadOptions(column_names=names, skip_rows=0, block_size=BLOCK)
    body = skip_record(text, delimiter) if fmt.header else text
    if not body.strip():
        raise DataError(f"{path} has a line of column names and no rows.", "Expected at least one row.")
    convert = arrow_csv.ConvertOptions(
        column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=False
    )
    parse = arrow_csv.ParseOptions(delimiter=delimiter, newlines_in_values=True)
    try:
        return arrow_csv.read_csv(
            pa.BufferReader(body.encode()), read_options=read, parse_options=parse, convert_options=convert
        )
    except pa.ArrowException as error:
        raise DataError(
            ragged_line(text, delimiter, len(names), path) or f"{path} is not CSV: {error}.",
            "Mend that line, or set format.delimiter.",
        ) from error


def header_names(text: str, delimiter: str, header: bool, path: Path) -> list[str]:
    """Column names of the first line that is not empty; c0, c1, .. where there is no header."""
    first = first_cells(text, delimiter)
    if not any(first):
        raise DataError(
            f"{path} is empty: no line has anything on it.", "Expected column names and rows below them."
        )
    names = (
        [cell or f"c{i}" for i, cell in enumerate(first)] if header else [f"c{i}" for i in range(len(first))]
    )
    check_names(names, path)
    return names


def first_cells(text: str, delimiter: str) -> list[str]:
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    return next(([cell.strip() for cell in row] for row in rows if row), [])


def check_names(names: list[str], path: Path) -> None:
    twice = [name for name, times in Counter(names).items() if times > 1]
    if twice:
        raise DataError(
            f"{path} has columns named twice: {', '.join(twice)}.", "Give each column a name of its own."
        )


def skip_record(text: str, delimiter: str) -> str:
    """The text after its first record that is not empty (a quoted header may run over lines)."""
    lines = iter(io.StringIO(text, newline=""))
    taken: list[str] = []

    def reading() -> Any:
        for line in lines:
            taken.append(line)
            yield line

    next((row for row in csv.reader(reading(), delimiter=delimiter) if row), None)
    return text[sum(map(len, taken)) :]


def ragged_line(text: str, delimiter: str, width: int, path: Path) -> str | None:
    """The first line with another number of cells than the header, in words; None where all agree."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    try:
        for row in reader:
            if row and len(row) != width:
                return (
                    f"{path}, line {reader.line_num}: {len(row)} cells where {width} columns were expected."
                )
    except csv.Error as error:
        return f"{path}, line {reader.line_num}: {error}."
    return None


def sniff_delimiter(sample: str) -> str:
    """The one of , ; tab | that cuts most of the first lines into equally many cells; else a comma."""
    lines = [line for line in sample.splitlines() if line.strip()][:60]
    best, score = ",", 0.0
    for delimiter in DELIMITERS:
        widths = Counter(len(row) for row in csv.reader(lines, delimiter=delimiter))
        width, times = max(widths.items(), key=lambda item: item[1], default=(1, 0))
        if width > 1 and times + width / 1000 > score:
            best, score = delimiter, times + width / 1000
    return best


def tidy(table: Any, path: Path, fmt: Format) -> Any:
    """The Arrow table with names and strings without blanks around, and null where a value is missing."""
    import pyarrow as pa
    import pyarrow.compute as pc

    names = [str(name).strip() for name in table.column_names]
    check_names(names, path)
    if table.num_rows == 0:
        raise DataError(f"{path} has a header and no rows.", "Expected at least one row.")
    marks = pa.array([*MISSING, *(mark.strip() for mark in fmt.missing)], pa.string())
    columns = []
    for column in table.columns:
        if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
            bare = pc.utf8_trim_whitespace(column).cast(pa.string())
            column = pc.if_else(pc.is_in(bare, value_set=marks), pa.scalar(None, pa.string()), bare)  # noqa: PLW2901
        columns.append(column)
    return pa.table(columns, names=names)
