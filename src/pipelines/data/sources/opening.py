"""Open a source with the reader that its content needs."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.config import Format
from pipelines.data.sources.kinds import find_kind
from pipelines.data.sources.reading import Reading
from pipelines.data.sources.source import Source, local_source
from pipelines.data.sources.streams import ByteStream

if TYPE_CHECKING:
    import pandas as pd


SETTLED = 1.0  # seconds without a write after which a file without an end of line is taken as whole


def open_source(
    source: Source,
    fmt: Format,
    after: object | None = None,
    see: Callable[[list[Any]], None] | None = None,
) -> Reading:
    """The source, open: its names, its types if it has any, how it is written, and its rows in chunks.

    `after` is the value of the watermark column from which a database is read, and `see` gets this column's
    values of each chunk, as the driver gives them and in the database's order; other sources have none.
    Raises DataError for what is not there, is empty, is no table, or cannot be read.
    """
    if source.kind == "sql":
        from pipelines.data.sources.sql import SqlReading

        return SqlReading(source, fmt, after, see)
    if source.kind == "delta":
        from pipelines.data.sources.delta import DeltaReading

        return DeltaReading(source, fmt)
    return open_content(source, fmt)


def open_content(source: Source, fmt: Format) -> Reading:
    """A file, by what it holds."""
    stream = ByteStream(source, fmt.most_expansion)
    try:
        kind = find_kind(source, stream.head, bool(stream.compression))
        if kind in {"text", "json"} and not stream.compression:
            wait_for_writer(source)
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


def wait_for_writer(source: Source) -> None:
    """Give a local file whose last line has no end, and which was written a moment ago, time to go on.

    A writer that does changes the stamp of the source, and reading ends with that answer; a cut cell does not
    pass for a whole one.
    """
    if source.kind != "file":
        return
    path = Path(source.address)
    quiet = time.time() - path.stat().st_mtime
    if 0 <= quiet < SETTLED and not ends_a_line(path):
        time.sleep(SETTLED - quiet)


def ends_a_line(path: Path) -> bool:
    with path.open("rb") as file:
        file.seek(-1, os.SEEK_END)
        return file.read(1) in b"\r\n\0"


def read_table(path: Path | str, fmt: Format) -> pd.DataFrame:
    """A small file's rows as they are written: texts, None where missing; a columnar file's own types.

    Raises DataError for what cannot be read whole.
    """
    import pyarrow as pa

    with open_source(local_source(Path(path)), fmt) as reading:
        return pa.concat_tables(reading.tables()).to_pandas()  # type: ignore[no-any-return]
