"""A snapshot's files cut into pieces that any process can read by itself."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from pipelines.data.storage.snapshots import gone, open_snapshot
from pipelines.records import Snapshot

if TYPE_CHECKING:
    import pandas as pd

FRAME = 65_536  # rows that are read at once


class Piece(NamedTuple):
    """A row group of a Parquet file; `start` is how many rows of the snapshot come before it."""

    file: str
    group: int
    start: int
    rows: int


def list_pieces(snapshot: Snapshot) -> list[Piece]:
    """The row groups of all files, in the order of `read_pieces`; none of them is empty.

    Only the files' footers are read. Raises DataError where the rows are gone.
    """
    pieces, start = [], 0
    try:
        for file in open_snapshot(snapshot).get_fragments():
            for group in file.row_groups:
                if group.num_rows:
                    pieces.append(Piece(file.path, group.id, start, group.num_rows))
                start += group.num_rows
    except FileNotFoundError as error:
        raise gone(snapshot) from error
    return pieces


class PieceReader:
    """Reads pieces of one snapshot, whose log is read once."""

    def __init__(self, snapshot: Snapshot) -> None:
        dataset = open_snapshot(snapshot)
        self.snapshot, self.schema = snapshot, dataset.schema
        self.files: dict[str, Any] = {file.path: file for file in dataset.get_fragments()}

    def read(self, file: str, group: int, columns: list[str]) -> Iterator[pd.DataFrame]:
        """The rows of a row group in order, in frames of at most FRAME rows; a column that the file has not
        is missing in each. Raises DataError where the file is gone."""
        try:
            part = self.files[file].subset(row_group_ids=[group])
            found = part.to_batches(
                schema=self.schema, columns=columns, batch_size=FRAME, batch_readahead=1, use_threads=False
            )
            for batch in found:
                yield batch.to_pandas()
        except (FileNotFoundError, KeyError) as error:
            raise gone(self.snapshot) from error
