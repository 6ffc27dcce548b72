"""Some rows of sources of any size, evenly spread, to tell what the columns hold."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, NamedTuple

from pipelines.config import Format
from pipelines.data.sources.opening import open_source
from pipelines.data.sources.source import Source

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa


class Sample(NamedTuple):
    """`frame` is all rows as they are written where `whole`, else each so-manieth of the `rows` there are."""

    frame: pd.DataFrame
    rows: int
    whole: bool


def sample_rows(sources: list[Source], fmt: Format, most: int = 200_000) -> Sample:
    """At most `most` rows of the sources, in their order and evenly spread, in bounded memory.

    All rows are read, for nobody knows where a file changes its mind. Raises DataError as reading does.
    """
    import pandas as pd

    picker = Picker(most)
    for source in sources:
        with open_source(source, fmt) as reading:
            picker.add(reading.tables())
    frames = [table.to_pandas() for _, table in picker.kept]
    return Sample(pd.concat(frames, ignore_index=True), picker.rows, picker.stride == 1)


class Picker:
    """Every `stride`-th row of a stream; the stride doubles when there are too many."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.rows, self.stride = 0, 1
        self.kept: list[tuple[int, pa.Table]] = []  # with the row number of the first row kept

    def add(self, tables: Iterable[pa.Table]) -> None:
        for table in tables:
            skipped = -self.rows % self.stride
            if skipped < table.num_rows:
                self.kept.append((self.rows + skipped, every(table, skipped, self.stride)))
            self.rows += table.num_rows
            while sum(table.num_rows for _, table in self.kept) > self.most:
                self.thin()

    def thin(self) -> None:
        """Keep every other row; a table that begins with an odd one begins with its second."""
        kept = []
        for first, table in self.kept:
            skipped = first // self.stride % 2
            if skipped < table.num_rows:
                kept.append((first + skipped * self.stride, every(table, skipped, 2)))
        self.kept, self.stride = kept, self.stride * 2


def every(table: pa.Table, start: int, stride: int) -> Any:
    import numpy as np

    return table if start == 0 and stride == 1 else table.take(np.arange(start, table.num_rows, stride))
