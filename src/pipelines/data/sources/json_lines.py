"""JSON Lines: an object a line; its values as they are written, nested ones refused."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from pipelines.config import Format
from pipelines.data.columns import beyond_exact
from pipelines.data.sources.csv_text import RECORD_MOST, count_lines
from pipelines.data.sources.encodings import TextStream
from pipelines.data.sources.reading import Reading, check_names, missing_marks, tidy_text
from pipelines.data.sources.source import Source
from pipelines.data.sources.streams import HEAD, ByteStream
from pipelines.errors import DataError
from pipelines.markdown import make_visible

if TYPE_CHECKING:
    import pyarrow as pa

BLOCK = 16 << 20
FIRST = 4 << 20  # bytes in which every column must be seen


class JsonReading(Reading):
    """Texts, numbers and booleans as strings as they are written, but numbers where they are asked for."""

    def __init__(self, source: Source, fmt: Format, stream: ByteStream) -> None:
        super().__init__(source, fmt)
        self.stream = stream
        self.text = TextStream(stream, fmt.encoding)
        self.marks = missing_marks(fmt)
        self.pieces = self.cut_pieces()
        self.first = next(self.pieces, None)
        keys: dict[str, None] = {}
        for row in self.objects(*self.first) if self.first else ():
            keys.update(dict.fromkeys(row))
        self.keys = list(keys)
        self.names = [key.strip() for key in self.keys]
        check_names(self.names, source)
        self.found = {"format": "JSON Lines", "compression": stream.compression or "none"}
        self.found["encoding"] = self.text.encoding

    def close(self) -> None:
        self.stream.close()

    def cut_pieces(self) -> Iterator[tuple[bytes, int]]:
        """Whole lines, many at a time, with the number of the first."""
        rest, line, last, size = b"", 1, False, max(FIRST, HEAD)
        while not last:
            block, last = self.text.read(size)
            size = BLOCK
            data = rest + block
            end = len(data) if last else data.rfind(b"\n") + 1
            if len(data) - end > RECORD_MOST:
                raise self.bad(line, f"a line of more than {RECORD_MOST >> 20} MiB")
            if end and not data[:end].isspace():
                yield data[:end], line
            line += count_lines(data, end)
            rest = data[end:]

    def chunks(self, numbers: frozenset[str]) -> Iterator[pa.Table]:
        while self.first:
            piece, self.first = self.first, None
            yield self.parse(*piece, numbers)
            self.first = next(self.pieces, None)

    def parse(self, data: bytes, line: int, numbers: frozenset[str]) -> pa.Table:
        """A piece as a table, by Arrow where its columns hold one plain type each, else value by value."""
        table = self.arrow_table(data, numbers)
        return self.slow_table(data, line) if table is None else table

    def arrow_table(self, data: bytes, numbers: frozenset[str]) -> pa.Table | None:
        """None where Arrow cannot give the values as they are written."""
        import pyarrow as pa
        from pyarrow import json as arrow_json

        kinds = self.plain_types(data, numbers)
        if kinds is None:
            return None
        parse = arrow_json.ParseOptions(explicit_schema=kinds, unexpected_field_behavior="error")
        read = arrow_json.ReadOptions(block_size=len(data) + 1)
        try:
            table = arrow_json.read_json(pa.BufferReader(data), read, parse)
        except pa.ArrowException:
            return None
        if any(pa.types.is_float64(c.type) and beyond_exact(c) for c in table.columns):
            return None
        columns = [self.as_written(table.column(key)) for key in self.keys]
        return pa.table(columns, names=self.names)

    def plain_types(self, data: bytes, numbers: frozenset[str]) -> Any:
        """The Arrow types of a piece by its first line; None where a number must be kept as it is written."""
        import pyarrow as pa

        try:
            row = json.loads(data.lstrip().partition(b"\n")[0])
        except (ValueError, RecursionError):
            return None
        if not isinstance(row, dict):
            return None
        fields = []
        for key, name in zip(self.keys, self.names, strict=True):
            value = row.get(key)
            if isinstance(value, bool):
                kind = pa.bool_()
            elif isinstance(value, int | float) and name in numbers:
                kind = pa.float64()
            elif isinstance(value, int):
                kind = pa.int64()
            elif isinstance(value, str):
                kind = pa.string()
            else:
                return None
            fields.append(pa.field(key, kind))
        return pa.schema(fields)

    def as_written(self, column: Any) -> Any:
        import pyarrow as pa

        if pa.types.is_float64(column.type):
            return column
        return tidy_text(column.cast(pa.string()), self.marks)

    # ------------------------------------------------------------------------------------- value by value

    def slow_table(self, data: bytes, line: int) -> pa.Table:
        import pyarrow as pa

        columns: dict[str, list[str | None]] = {key: [] for key in self.keys}
        for row in self.objects(data, line):
            for key, values in columns.items():
                values.append(row.get(key))
        arrays = [tidy_text(pa.array(values, pa.string()), self.marks) for values in columns.values()]
        return pa.table(arrays, names=self.names)

    def objects(self, data: bytes, line: int) -> Iterator[dict[str, str | None]]:
        """Each line's object with its values as text. Raises DataError naming line and column."""
        known = frozenset(self.keys) if hasattr(self, "keys") else None
        reader = json.JSONDecoder(
            object_pairs_hook=list, parse_int=Written, parse_float=Written, parse_constant=Written
        )
        for number, text in enumerate(data.decode(errors="replace").split("\n"), line):
            if text.strip():
                yield self.row(text.strip(), number, reader, known)

    def row(
        self, text: str, line: int, reader: json.JSONDecoder, known: frozenset[str] | None
    ) -> dict[str, str | None]:
        try:
            pairs = reader.decode(text)
        except (ValueError, RecursionError) as error:
            raise self.bad(line, f"not JSON: {error}") from error
        if not isinstance(pairs, list) or not text.startswith("{"):
            raise self.bad(line, "not a JSON object")
        row: dict[str, str | None] = {}
        for key, value in pairs:
            if key in row:
                raise self.bad(line, f"the key {make_visible(key)!r} stands twice")
            if isinstance(value, list):
                raise self.bad(line, f"column {make_visible(key)!r} holds a nested value")
            if known is not None and key not in known:
                raise self.bad(
                    line, f"column {make_visible(key)!r} is new, and not in the first {FIRST >> 20} MiB"
                )
            row[key] = {True: "true", False: "false"}[value] if isinstance(value, bool) else value
        return row

    def bad(self, line: int, what: str) -> DataError:
        return DataError(
            f"{self.source.name}, line {line:,}: {what}.",
            "Expected a JSON object on each line, its values texts, numbers, booleans or null.",
        )


class Written(str):
    """A number as it is written."""

    __slots__ = ()
