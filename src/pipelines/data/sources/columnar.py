"""Parquet and Arrow files: tables with types, read in batches."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from pipelines.config import Format
from pipelines.data.sources.reading import Reading, check_names, missing_marks, tidy_text
from pipelines.data.sources.source import Source, plain_reason
from pipelines.data.sources.streams import open_file
from pipelines.errors import DataError
from pipelines.markdown import make_visible

if TYPE_CHECKING:
    import pyarrow as pa

CELLS_A_BATCH = 2_000_000


class TypedReading(Reading):
    """Batches of a schema that is known; nested columns are refused, dictionaries are written out."""

    what = "table"

    def __init__(self, source: Source, fmt: Format, schema: pa.Schema) -> None:
        super().__init__(source, fmt)
        self.names = [str(name).strip() for name in schema.names]
        check_names(self.names, source)
        refuse_nested(schema, source)
        self.types = flat_schema(schema, self.names)
        self.marks = missing_marks(fmt)

    def batches(self) -> Iterator[Any]:
        raise NotImplementedError

    def chunks(self, numbers: frozenset[str]) -> Iterator[pa.Table]:
        import pyarrow as pa

        some = False
        try:
            for batch in self.batches():
                if batch.num_rows:
                    some = True
                    yield self.flatten(pa.table(batch.columns, names=self.names))
        except (pa.ArrowException, OSError) as error:
            raise broken(self.source, self.what, error) from error
        if not some:
            raise DataError(f"{self.source.name} has columns and no rows.", "Expected at least one row.")

    def flatten(self, table: pa.Table) -> pa.Table:
        """The table in the promised types, its texts without blanks around and null where a mark stands."""
        import pyarrow as pa

        assert self.types is not None  # noqa: S101
        table = table.cast(self.types)
        for i, field in enumerate(self.types):
            if pa.types.is_string(field.type):
                table = table.set_column(i, field.name, tidy_text(table.column(i), self.marks))
        return table


class ParquetReading(TypedReading):
    what = "Parquet file"

    def __init__(self, source: Source, fmt: Format) -> None:
        self.file = open_file(source, seekable=True)
        try:
            self.parquet = opened(source, self.what, self.open_parquet)
            super().__init__(source, fmt, self.parquet.schema_arrow)
        except BaseException:
            self.file.close()
            raise
        self.found = {"format": "Parquet"}

    def open_parquet(self) -> Any:
        from pyarrow import parquet

        return parquet.ParquetFile(self.file, pre_buffer=False, buffer_size=1 << 20)

    def batches(self) -> Iterator[Any]:
        rows = max(1, min(1 << 17, CELLS_A_BATCH // len(self.names)))
        return self.parquet.iter_batches(batch_size=rows)  # type: ignore[no-any-return]

    def close(self) -> None:
        self.file.close()


class ArrowReading(TypedReading):
    """Arrow's file format (Feather's second version too) and its stream format."""

    what = "Arrow file"

    def __init__(self, source: Source, fmt: Format, head: bytes) -> None:
        from pyarrow import ipc

        self.is_file = head.startswith(b"ARROW1")
        self.file = open_file(source, seekable=self.is_file)
        opening = ipc.open_file if self.is_file else ipc.open_stream
        try:
            self.ipc = opened(source, self.what, lambda: opening(self.file))
            super().__init__(source, fmt, self.ipc.schema)
        except BaseException:
            self.file.close()
            raise
        self.found = {"format": "Arrow file" if self.is_file else "Arrow stream"}

    def batches(self) -> Iterator[Any]:
        if not self.is_file:
            return iter(self.ipc)
        return (self.ipc.get_batch(i) for i in range(self.ipc.num_record_batches))

    def close(self) -> None:
        self.file.close()


def opened(source: Source, what: str, opening: Callable[[], Any]) -> Any:
    import pyarrow as pa

    try:
        return opening()
    except (pa.ArrowException, OSError) as error:
        raise broken(source, what, error) from error


def broken(source: Source, what: str, error: Exception) -> DataError:
    return DataError(
        f"{source.name} is not a whole {what}: {plain_reason(error, source)}.",
        "It may be cut short or damaged: copy it or write it again.",
    )


def refuse_nested(schema: pa.Schema, source: Source) -> None:
    """Raises DataError naming the columns whose cells hold more than one value, or bytes."""
    import pyarrow as pa

    nested = [
        f"{make_visible(field.name)} ({field.type})" for field in schema if pa.types.is_nested(field.type)
    ]
    if nested:
        raise DataError(
            f"{source.name} has nested columns: {', '.join(nested[:10])}.",
            "Give each value a column of its own, or leave these out.",
        )


def flat_schema(schema: pa.Schema, names: list[str]) -> pa.Schema:
    """The types as they are handed on: dictionaries as their values, every kind of text as string."""
    import pyarrow as pa

    return pa.schema(
        [pa.field(name, flat_type(field.type)) for name, field in zip(names, schema, strict=True)]
    )


def flat_type(kind: Any) -> Any:
    import pyarrow as pa

    if pa.types.is_dictionary(kind):
        return flat_type(kind.value_type)
    text = (pa.types.is_large_string, pa.types.is_string_view, pa.types.is_binary, pa.types.is_large_binary)
    if any(check(kind) for check in text) or pa.types.is_null(kind):
        return pa.string()
    return kind
