"""How a text table is written, told from its first lines: delimiter, quotes, header, marks in numbers."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any, Literal

from pipelines.config import Format
from pipelines.data.sources.encodings import TextStream
from pipelines.data.sources.kinds import find_kind
from pipelines.data.sources.source import Source
from pipelines.data.sources.streams import ByteStream

USUAL, RARE = ",;\t|", "^~:\x1f "
LINES = 200  # records looked at
VALUE = re.compile(r"[+-]?(\d+([.,]\d+)*|[.,]\d+)([eE][+-]?\d+)?|\d{4}-\d\d-\d\d.*")
GROUPED = r"[+-]?\d{1,3}(?:%s\d{3})+"
NUMBERISH = re.compile(r"[+-]?(\d+|\d{1,3}([.,' \u00a0\u202f]\d{3})+)?([.,]\d*)?([eE][+-]?\d+)?")


def discover_format(source: Source, target: str | None) -> Format:
    """The form of a text file as far as reading does not find it again by itself; columnar ones are plain.

    `target` is a column known by name: a first line that has it is a header.
    Raises DataError for what cannot be opened, or is no table.
    """
    if source.kind in ("sql", "delta"):
        return Format()
    stream = ByteStream(source, Format().most_expansion)
    try:
        if find_kind(source, stream.head, bool(stream.compression)) != "text":
            return Format()
        text = TextStream(stream, None)
        return format_of(text.head(), text.encoding, target)
    finally:
        stream.close()


def format_of(head: str, encoding: str, target: str | None) -> Format:
    quote = sniff_quote(head)
    delimiter = sniff_delimiter(head, quote)
    records = list(records_of(head, delimiter, quote))
    first = [cell.strip() for cell in records[0]] if records else []
    header = target in first or not any(VALUE.fullmatch(cell) for cell in first)
    decimal, thousands = sniff_numbers(records[1 if header else 0 :], delimiter)
    return Format(
        delimiter=None if delimiter == "," else delimiter,
        quote=None if quote == '"' else quote,
        encoding=None if encoding == "utf-8" or encoding in ("utf-16", "utf-32") else encoding,
        header=header,
        decimal=decimal,
        thousands=thousands,
    )


def records_of(text: str, delimiter: str, quote: str) -> Iterator[list[str]]:
    """The first records of the head of a file, without empty ones and without the last, which may be cut."""
    lines = io.StringIO(text, newline="").readlines()
    whole = lines[:-1] if len(lines) > 1 and not lines[-1].endswith(("\n", "\r")) else lines
    rows = csv_reader(whole, delimiter, quote)
    count = 0
    try:
        for row in rows:
            if row and count < LINES:
                count += 1
                yield row
    except csv.Error:  # a cell beyond all measure; what was seen before it must do
        return


def csv_reader(lines: Iterable[str], delimiter: str, quote: str) -> Any:
    if not quote:
        return csv.reader(lines, delimiter=delimiter, quoting=csv.QUOTE_NONE)
    return csv.reader(lines, delimiter=delimiter, quotechar=quote)


def first_record(data: bytes, delimiter: str, quote: str) -> tuple[list[str], int, int]:
    """The cells of the first record that is not empty, the bytes up to its end, and the lines in them."""
    taken, lines = 0, 0

    def reading() -> Iterator[str]:
        nonlocal taken, lines
        for line in io.TextIOWrapper(
            io.BytesIO(data), encoding="utf-8", errors="surrogateescape", newline=""
        ):
            taken += len(line.encode(errors="surrogateescape"))
            lines += 1
            yield line

    rows = csv_reader(reading(), delimiter, quote)
    cells: list[str] = next((row for row in rows if any(cell.strip() for cell in row)), [])
    return cells, taken, lines


# ------------------------------------------------------------------------------------------------ delimiter


def sniff_delimiter(text: str, quote: str = '"') -> str:
    """The one that cuts most of the first records into equally many cells, two at least; else a comma."""
    for group in (USUAL, RARE):
        scores = {delimiter: agreement(text, delimiter, quote) for delimiter in group}
        share, _ = max(scores.values())
        if share > (0.5 if group == USUAL else 0.95):
            best = [delimiter for delimiter, score in scores.items() if score[0] >= share - 1e-9]
            return widest(best, scores, text)
    return ","


def agreement(text: str, delimiter: str, quote: str) -> tuple[float, int]:
    """The share of records with the commonest number of cells above one, and that number."""
    widths = Counter(len(row) for row in records_of(text, delimiter, quote))
    total = sum(widths.values())
    widths.pop(1, None)
    width, times = max(widths.items(), key=lambda item: (item[1], item[0]), default=(1, 0))
    return (times / total if total else 0.0), width


def widest(best: list[str], scores: dict[str, tuple[float, int]], text: str) -> str:
    """Among equals the one with most cells, and not a comma that stands in numbers only (1,5;2,5)."""
    if "," in best and len(best) > 1:
        commas = text.count(",")
        if commas == len(re.findall(r"(?<=\d),(?=\d)", text)):
            best = [delimiter for delimiter in best if delimiter != ","]
    return max(best, key=lambda delimiter: scores[delimiter][1])


def sniff_quote(text: str) -> str:
    """A single quote where cells are put in single quotes and none in double ones; else the double quote."""
    if '"' in text:
        return '"'
    whole = re.findall(r"(?m)(?:^|[,;\t|])'[^'\r\n]*'(?=[,;\t|\r\n]|$)", text)
    return "'" if len(whole) >= 3 else '"'


# ------------------------------------------------------------------------------------------------- numbers


def sniff_numbers(
    rows: list[list[str]], delimiter: str
) -> tuple[Literal[".", ","], Literal[",", ".", " ", "'"] | None]:
    """The decimal mark and the mark between thousands, from the columns that hold numbers."""
    cells = list(number_cells(rows))
    commas = sum(is_decimal(cell, ",") for cell in cells)
    dots = sum(is_decimal(cell, ".") for cell in cells)
    lone = sum(re.fullmatch(r"[+-]?\d{1,3},\d{3}", cell) is not None for cell in cells)
    comma = commas > dots or (commas == dots == 0 and delimiter == ";" and lone > 0)
    groups = ((".", r"\."),) if comma else ((",", ","),)
    for mark, pattern in (*groups, (" ", "[ \u00a0\u202f]"), ("'", "['\u2019]")):
        grouped = re.compile(GROUPED % pattern + (r"(?:,\d+)?" if comma else r"(?:\.\d+)?"))
        if any(grouped.fullmatch(cell) for cell in cells):
            return ("," if comma else "."), mark  # type: ignore[return-value]
    return ("," if comma else "."), None


def number_cells(rows: list[list[str]]) -> Iterator[str]:
    """The cells of columns in which nearly everything looks like a number, however it is marked."""
    width = max(map(len, rows), default=0)
    for i in range(width):
        column = [row[i].strip() for row in rows if i < len(row) and row[i].strip()]
        numbers = [cell for cell in column if NUMBERISH.fullmatch(cell) and any(map(str.isdigit, cell))]
        if column and len(numbers) >= 0.8 * len(column):
            yield from numbers


def is_decimal(cell: str, mark: str) -> bool:
    """Whether `mark` can only be a decimal mark here: not in front of exactly three digits, or after 0."""
    other = r"\." if mark == "," else ","
    mark = re.escape(mark)
    if re.fullmatch(rf"[+-]?\d{{1,3}}({other}\d{{3}})+{mark}\d*", cell):
        return True
    found = re.fullmatch(rf"[+-]?(\d*){mark}(\d*)([eE][+-]?\d+)?", cell)
    return found is not None and (len(found[2]) != 3 or len(found[1]) > 3 or found[1] in ("", "0"))
