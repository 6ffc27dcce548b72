"""The parts of a snapshot, read in pieces: tables that do not fit into memory are never in it as a whole."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipelines.config import PipelineConfig
from pipelines.data.storage.pieces import list_pieces
from pipelines.data.storage.snapshots import read_pieces, read_snapshot
from pipelines.records import Snapshot
from pipelines.splitting import LEFT_OUT, PARTS, Read, assign_parts, check_parts

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    import pyarrow as pa
    from numpy.typing import NDArray

LARGE = 2_000_000  # rows, from which on a table is read in pieces
SAMPLE = 1_000_000  # rows that features are fitted on, at most


@dataclass(frozen=True)
class Partition:
    """Which part each row is in, LEFT_OUT for none, and the rows; every method takes names of PARTS."""

    read: Read
    member: NDArray[np.int8]
    snapshot: Snapshot | None = None  # whose files have the rows, in this order; None: they are in memory

    def count(self, *parts: str) -> int:
        return int(self._mask(parts).sum())

    def pieces(self, *parts: str, columns: list[str] | None = None) -> Iterator[pd.DataFrame]:
        """The rows of the parts, a frame after the other; none of them is empty."""
        chosen, start = self._mask(parts), 0
        for frame in self.read(columns):
            mask = chosen[start : start + len(frame)]
            start += len(frame)
            if mask.any():
                yield frame if mask.all() else frame[mask]

    def table(self, *parts: str, columns: list[str] | None = None) -> pd.DataFrame:
        """The rows of the parts as one frame; without rows it has the columns alone."""
        import pandas as pd

        frames = list(self.pieces(*parts, columns=columns))
        return pd.concat(frames) if frames else next(self.read(columns)).iloc[:0]

    def column(self, name: str, *parts: str) -> pd.Series:
        """One column of the parts' rows, in order."""
        return self.table(*parts, columns=[name])[name]

    def sample(self, *parts: str, rows: int = SAMPLE) -> pd.DataFrame:
        """So many rows of the parts by a seeded draw, in order; all where there are no more."""
        import numpy as np

        chosen = np.flatnonzero(self._mask(parts))
        if len(chosen) > rows:
            chosen = np.sort(np.random.default_rng(0).choice(chosen, rows, replace=False))
        drawn = np.full(len(self.member), LEFT_OUT, dtype=np.int8)
        drawn[chosen] = 0
        return Partition(self.read, drawn).table(PARTS[0])

    def sampled(self, rows: int) -> Partition:
        """A smaller partition in memory: so many rows of the training part, and of the validation part."""
        import numpy as np
        import pandas as pd

        frames = [self.sample(part, rows=rows) for part in PARTS[:2]]
        member = np.repeat(np.array([0, 1], dtype=np.int8), [len(f) for f in frames])
        return Partition(hold(pd.concat(frames)), member)

    def locate(self, *parts: str) -> pa.Table:
        """Where in the snapshot's files the parts' rows lie: the pieces that have any.

        `kept` has a bit for each row of a piece, packed eight to a byte: 1 where it is one of the parts'.
        Nothing of rows that are in memory.
        """
        import numpy as np
        import pyarrow as pa

        chosen, found = self._mask(parts), []
        for piece in list_pieces(self.snapshot) if self.snapshot else ():
            mask = chosen[piece.start : piece.start + piece.rows]
            if mask.any():
                found.append(piece._asdict() | {"kept": np.packbits(mask).tobytes()})
        return pa.Table.from_pylist(found)

    def _mask(self, parts: tuple[str, ...]) -> NDArray[np.bool_]:
        import numpy as np

        return np.isin(self.member, [PARTS.index(part) for part in parts])


def partition_snapshot(snapshot: Snapshot, config: PipelineConfig) -> Partition:
    """The snapshot split as the definition says.

    Raises DataError where a part would be too small to mean anything, or the rows are gone.
    """
    in_files = snapshot.rows >= LARGE or config.training.stream is True
    if in_files:
        return partition_rows(reader(snapshot), config, snapshot)
    return partition_rows(hold(read_snapshot(snapshot)), config)


def partition_rows(read: Read, config: PipelineConfig, snapshot: Snapshot | None = None) -> Partition:
    """As `partition_snapshot`, of rows that are read so; `snapshot` where they lie in its files."""
    partition = Partition(read, assign_parts(read, config), snapshot)
    check_parts({part: partition.table(part, columns=[config.data.target]) for part in PARTS}, config)
    return partition


def hold(frame: pd.DataFrame) -> Read:
    """A frame in memory as one piece."""

    def read(columns: list[str] | None) -> Iterator[pd.DataFrame]:
        yield frame if columns is None else frame[columns]

    return read


def reader(snapshot: Snapshot) -> Read:
    """A snapshot in its files, in pieces."""

    def read(columns: list[str] | None) -> Iterator[pd.DataFrame]:
        return read_pieces(snapshot, columns)

    return read
