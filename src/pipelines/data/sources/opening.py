"""Open a source with the reader that its content needs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.config import Format
from pipelines.data.sources.kinds import find_kind
from pipelines.data.sources.reading import Reading
from pipelines.data.sources.source import Source, local_source
from pipelines.data.sources.streams import ByteStream

if TYPE_CHECKING:
    import pandas as pd


def open_source(source: Source, fmt: Format, after: object | None = None) -> Reading:
    """The source, open: its names, its types if it has any, how it is written, and its rows in chunks.

    `after` is the value of the watermark column from which a database is read; other sources have none.
    Raises DataError for what is not there, is empty, is no table, or cannot be read.
    """
    if source.kind == "sql":
        from pipelines.data.sources.sql import SqlReading

        return SqlReading(source, fmt, after)
    if source.kind == "delta":
        from pipelines.data.sources.delta import DeltaReading

        return DeltaReading(source, fmt)
    return open_content(source, fmt)


def open_content(source: Source, fmt: Format) -> Reading:
    """A file, by what it holds."""
    stream = ByteStream(source, fmt.most_expansion)
    try:
        kind = find_kind(source, stream.head, bool(stream.compression))
        if kind == "text":
            from pipelines.data.sources.csv_text import CsvReading

            return CsvReading(source, fmt, stream)
        if kind == "json":
            from pipelines.data.sources.json_lines import JsonReading

            return JsonReading(source, fmt, stream)
    except BaseException:
        stream.close()
        raise
    stream.close()
    from pipelines.data.sources.columnar import ArrowReading, ParquetReading

    return ParquetReading(source, fmt) if kind == "parquet" else ArrowReading(source, fmt, stream.head)


def read_table(path: Path | str, fmt: Format) -> pd.DataFrame:
    """A small file's rows as they are written: texts, None where missing; a columnar file's own types.

    Raises DataError for what cannot be read whole.
    """
    import pyarrow as pa

    with open_source(local_source(Path(path)), fmt) as reading:
        return pa.concat_tables(reading.tables()).to_pandas()  # type: ignore[no-any-return]
