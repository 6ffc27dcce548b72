"""CSV text into Arrow tables, block by block, strictly: each record has as many cells as there are names."""

from __future__ import annotations

import csv
import io
import re
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import chain
from typing import TYPE_CHECKING, Any

from pipelines.config import Format
from pipelines.data.columns import beyond_exact
from pipelines.data.sources.dialects import csv_reader, first_record, sniff_delimiter, sniff_quote
from pipelines.data.sources.encodings import UTF8_BOM, TextStream
from pipelines.data.sources.reading import Reading, check_names, missing_marks, tidy_text
from pipelines.data.sources.records import RecordCutter
from pipelines.data.sources.source import Source
from pipelines.data.sources.streams import ByteStream
from pipelines.errors import ConfigError, DataError
from pipelines.markdown import make_visible

if TYPE_CHECKING:
    import pyarrow as pa

BLOCK = 8 << 20  # bytes parsed at once; larger ones cost the kernel a fresh page for each 4 KiB
AHEAD = 2  # pieces that are parsed at a time
RECORD_MOST = 64 << 20  # bytes of the longest record that is read


class CsvReading(Reading):
    """Delimited text; all cells are strings but for the columns that are asked for as numbers."""

    def __init__(self, source: Source, fmt: Format, stream: ByteStream) -> None:
        super().__init__(source, fmt)
        self.stream = stream
        self.text = TextStream(stream, fmt.encoding)
        head = self.text.head()
        self.quote = sniff_quote(head) if fmt.quote is None else fmt.quote
        self.delimiter = fmt.delimiter or sniff_delimiter(head, self.quote)
        check_dialect(self.delimiter, self.quote)
        csv.field_size_limit(RECORD_MOST)
        self.cutter = RecordCutter(self.delimiter, self.quote)
        self.pieces = self.cut_pieces()
        self.names = self.read_header()
        self.marks = missing_marks(fmt)
        self.worded: set[str] = set()  # columns asked for as numbers that have shown other cells
        self.describe()

    def close(self) -> None:
        self.stream.close()

    def describe(self) -> None:
        named = {"\t": "tab", ",": "comma", ";": "semicolon", "|": "bar", " ": "blank"}
        self.found |= {"format": "CSV", "compression": self.stream.compression or "none"}
        self.found |= {"encoding": self.text.encoding, "quote": self.quote or "none"}
        self.found |= {"delimiter": named.get(self.delimiter, self.delimiter), "decimal": self.fmt.decimal}
        self.found |= {"header": "yes" if self.fmt.header else "no"}
        if self.fmt.thousands:
            self.found["thousands"] = self.fmt.thousands

    # -------------------------------------------------------------------------------------------- cutting

    def cut_pieces(self) -> Iterator[tuple[bytes, int]]:
        """Whole records, many at a time, with the line number of the first."""
        rest, line, last, size = b"", 1, False, len(self.stream.head)
        while not last:
            block, last = self.text.read(size)
            size = BLOCK
            self.refuse_nul(block, line, rest)
            data = rest + block
            end = self.cutter.end_of_records(data, last)
            if end < len(data) and (last or len(data) - end > RECORD_MOST):
                raise self.endless_record(data, end, line, last)
            if end:
                yield data[:end], line
                line += count_lines(data, end)
            rest = data[end:]

    def refuse_nul(self, block: bytes, line: int, rest: bytes) -> None:
        if b"\0" not in block:
            return
        at = block.index(0)
        line += count_lines(rest, len(rest)) + count_lines(block, at)
        offset = f" at {self.stream.position - len(block) + at:,}" if self.text.is_utf8 else ""
        raise DataError(
            f"{self.source.name} is not text: it has a NUL byte{offset}, line {line:,}.",
            "Expected a CSV file, or *.parquet; a file cut off by a crash can end in NULs.",
        )

    def endless_record(self, data: bytes, end: int, line: int, last: bool) -> DataError:
        opened = self.cutter.open_quote(data, end)
        where = line + count_lines(data, end if opened is None else opened)
        if opened is None:
            what = f"a row of more than {RECORD_MOST >> 20} MiB"
        else:
            far = "to the end of the file" if last else f"for {RECORD_MOST >> 20} MiB"
            what = f"a quote ({self.quote}) opens and is not closed {far}"
        return DataError(
            f"{self.source.name}, line {where:,}: {what}.",
            "Mend that line, or set format.quote ('' for none).",
        )

    # --------------------------------------------------------------------------------------------- header

    def read_header(self) -> list[str]:
        """Column names of the first line that is not empty; c0, c1, .. where there is no header."""
        for data, line in self.pieces:
            if data.isspace():
                continue
            cells, length, lines = first_record(data, self.delimiter, self.quote)
            names = [
                (cell if self.fmt.header and cell else f"c{i}")
                for i, cell in enumerate(c.strip() for c in cells)
            ]
            check_names(names, self.source)
            rest = (data[length:], line + lines) if self.fmt.header else (data, line)
            self.pieces = self.with_rows(rest, self.pieces)
            return names
        raise DataError(
            f"{self.source.name} is empty: no line has anything on it.",
            "Expected column names and rows below them.",
        )

    def with_rows(
        self, first: tuple[bytes, int], others: Iterator[tuple[bytes, int]]
    ) -> Iterator[tuple[bytes, int]]:
        """The pieces that have rows; there must be one."""
        some = False
        for data, line in chain([first], others):
            if data.strip(b"\r\n"):
                some = True
                yield data, line
        if not some:
            raise DataError(
                f"{self.source.name} has a line of column names and no rows.", "Expected at least one row."
            )

    # -------------------------------------------------------------------------------------------- parsing

    def chunks(self, numbers: frozenset[str]) -> Iterator[pa.Table]:
        """Pieces are parsed beside the cutting of the next, and beside what is done with the last."""
        numbers = frozenset() if self.fmt.thousands else numbers & frozenset(self.names)
        parsed: deque[Future[pa.Table]] = deque()
        with ThreadPoolExecutor(AHEAD) as pool:
            try:
                for data, line in self.pieces:
                    parsed.append(pool.submit(self.parse, data, line, numbers))
                    if len(parsed) > AHEAD:
                        yield parsed.popleft().result()
            except DataError:
                for earlier in parsed:  # the first thing that is wrong is told
                    earlier.result()
                raise
            while parsed:
                yield parsed.popleft().result()
        self.found["encoding"] = self.text.encoding

    def parse(self, data: bytes, line: int, numbers: frozenset[str]) -> pa.Table:
        """A piece as a table; what is no plain number leaves its column as text."""
        import pyarrow as pa

        numbers -= self.worded
        if numbers:
            try:
                return self.tidy(self.finite(self.arrow_table(data, numbers)))
            except pa.ArrowInvalid:
                pass
        try:
            table = self.tidy(self.arrow_table(data, frozenset()))
        except pa.ArrowInvalid as error:
            raise self.bad_line(data, line, error) from error
        return self.with_numbers(table, numbers) if self.fmt.decimal == "." else table

    def arrow_table(self, data: bytes, numbers: frozenset[str]) -> pa.Table:
        import pyarrow as pa
        from pyarrow import csv as arrow_csv

        types = {name: pa.float64() if name in numbers else pa.string() for name in self.names}
        convert = arrow_csv.ConvertOptions(
            column_types=types,
            null_values=self.marks,
            strings_can_be_null=True,
            check_utf8=False,
            decimal_point=self.fmt.decimal,
        )
        quoted = bool(self.quote) and self.quote.encode() in data
        parse = arrow_csv.ParseOptions(
            delimiter=self.delimiter, quote_char=self.quote or False, newlines_in_values=quoted
        )
        read = arrow_csv.ReadOptions(column_names=self.names, block_size=len(data) + 4, use_threads=False)
        if data.startswith(UTF8_BOM):  # here it is data; Arrow leaves one out
            data = UTF8_BOM + data
        return arrow_csv.read_csv(pa.BufferReader(data), read, parse, convert)

    def finite(self, table: pa.Table) -> pa.Table:
        """The table itself; refuses what Arrow reads as a number and is none, such as `inf`, or may round."""
        import pyarrow as pa
        import pyarrow.compute as pc

        for column in table.columns:
            if not pa.types.is_float64(column.type):
                continue
            if pc.all(pc.is_finite(column)).as_py() is False or beyond_exact(column):
                raise pa.ArrowInvalid("not finite, or not as it is written")
        return table

    def tidy(self, table: pa.Table) -> pa.Table:
        import pyarrow as pa
        import pyarrow.compute as pc

        for i, column in enumerate(table.columns):
            if pa.types.is_string(column.type):
                bare = pc.utf8_trim_whitespace(column)
                if not bare.equals(column):
                    table = table.set_column(i, self.names[i], tidy_text(column, self.marks))
        return table

    def with_numbers(self, table: pa.Table, numbers: frozenset[str]) -> pa.Table:
        """The table with those text columns as numbers that have nothing but numbers in them."""
        import pyarrow as pa
        import pyarrow.compute as pc

        for i, name in enumerate(self.names):
            if name not in numbers:
                continue
            try:
                column = pc.cast(table.column(i), pa.float64())
                self.finite(pa.table([column], names=[name]))
                table = table.set_column(i, name, column)
            except pa.ArrowInvalid:
                self.worded.add(name)
        return table

    def ragged(self, line: int, cells: int, lines: int) -> DataError:
        """A record with too few or too many cells; one that runs over lines has perhaps a quote too many."""
        found = f"{cells:,} cell{'s' * (cells != 1)} where {len(self.names):,} columns were expected"
        over = f"; its quotes run over {lines:,} lines" if lines > 1 else ""
        return DataError(
            f"{self.source.name}, line {line:,}: {found}{over}.",
            "Mend that line, or set format.delimiter and format.quote.",
        )

    def bad_line(self, data: bytes, line: int, error: Exception) -> DataError:
        """The first record with another number of cells than there are names, in words."""
        width, before = len(self.names), 0
        rows = csv_rows(data, self.delimiter, self.quote)
        try:
            for row in rows:
                if row and len(row) != width:
                    return self.ragged(line + before, len(row), rows.line_num - before)
                before = rows.line_num
        except csv.Error as problem:
            return DataError(f"{self.source.name}, line {line + before:,}: {problem}.", "Mend that line.")
        reason = make_visible(str(error).splitlines()[0][:200])
        return DataError(
            f"{self.source.name}, from line {line:,}: not CSV: {reason}.",
            "Mend the file, or set format.quote.",
        )


def csv_rows(data: bytes, delimiter: str, quote: str) -> Any:
    """Python's own reader over a piece: slow, and it knows its line."""
    text = io.TextIOWrapper(io.BytesIO(data), encoding="utf-8", errors="replace", newline="")
    return csv_reader(text, delimiter, quote)


def count_lines(data: bytes, end: int) -> int:
    """Line ends before `end`, each of LF, CR and CRLF counted once."""
    returns = data.count(b"\r", 0, end)
    return data.count(b"\n", 0, end) + (returns - data.count(b"\r\n", 0, end) if returns else 0)


def check_dialect(delimiter: str, quote: str) -> None:
    for key, value in (("delimiter", delimiter), ("quote", quote)):
        if not value.isascii() or re.fullmatch(r"[\r\n\0]", value):
            raise ConfigError(f"format.{key} {value!r} is not one ASCII character.", "Give another one.")
    if delimiter == quote:
        raise ConfigError(f"format.delimiter and format.quote are both {quote!r}.", "Give different ones.")
