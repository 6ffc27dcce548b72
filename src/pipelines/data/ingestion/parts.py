"""The files of a batch while it is staged, and the marks by which their rows are compared with each other."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipelines.data.ingestion.held import rank
from pipelines.data.storage.tables import write_part

WRITES_WAITING = 3  # tables that wait to be written; more would be memory


@dataclass
class Part:
    """A file, and for each of its rows fingerprint, `_seq`, key (or None) and the number of its delivery."""

    path: Path
    rows: Any
    seqs: Any
    keys: Any
    deliveries: Any

    def keep(self, stays: Any) -> None:
        """Forget the other rows, in the file too."""
        import pyarrow as pa
        from pyarrow import parquet

        write_part(parquet.read_table(self.path).filter(pa.array(stays)), self.path)
        self.rows, self.seqs, self.deliveries = self.rows[stays], self.seqs[stays], self.deliveries[stays]
        self.keys = None if self.keys is None else self.keys[stays]


class Parts:
    """The parts of one batch, in `place`; files are written by `pool` while rows still come in."""

    def __init__(self, place: Path, pool: Executor) -> None:
        self.place, self.pool = place, pool
        self.all: list[Part] = []
        self.writes: list[Future[None]] = []
        self.number = 0

    def next_path(self) -> Path:
        self.number += 1
        return self.place / f"part-{self.number - 1:05d}.parquet"

    def write(self, table: Any, keys: Any, deliveries: Any) -> None:
        """A table with `_row` and `_seq` as the next part."""
        path = self.next_path()
        self.all.append(Part(path, table["_row"].to_numpy(), table["_seq"].to_numpy(), keys, deliveries))
        while len(self.writes) > WRITES_WAITING:
            self.writes.pop(0).result()
        self.writes.append(self.pool.submit(write_part, table, path))

    def settle(self) -> None:
        """Wait until all is written."""
        for write in self.writes:
            write.result()
        self.writes.clear()

    @property
    def row_count(self) -> int:
        return sum(len(part.rows) for part in self.all)

    def checksum(self) -> int:
        """64 bits of the rows' content, whatever their order."""
        import numpy as np

        return sum(int(part.rows.view(np.uint64).sum()) for part in self.all) % 2**64

    def remove(self, seqs: Any) -> None:
        """Take these rows out; a part without rows goes."""
        import numpy as np

        for part in self.all:
            stays = ~np.isin(part.seqs, seqs)
            if not stays.all():
                part.keep(stays)
            if not stays.any():
                part.path.unlink()
        self.all = [part for part in self.all if len(part.rows)]

    def find(self, seqs: Any) -> Iterator[Any]:
        """Tables of these rows."""
        import numpy as np
        import pyarrow as pa
        from pyarrow import parquet

        for part in self.all if len(seqs) else []:
            here = np.isin(part.seqs, seqs)
            if here.any():
                yield parquet.read_table(part.path).filter(pa.array(here))

    # ---------------------------------------------------------------------------------- rows that come twice

    def repeats(self, keyed: bool) -> tuple[Any, Any]:
        """`_seq` of the rows that repeat others of this batch, and of those that have another's key only.

        Without keys, a row repeats one of another delivery; what a delivery has more of than any before it is
        new. With keys, the first row of each key is the one.
        """
        import numpy as np

        none = np.empty(0, dtype=np.int64)
        marks = np.concatenate([part.keys if keyed else part.rows for part in self.all] or [none])
        ascending = np.sort(marks)
        twice = np.unique(ascending[1:][ascending[1:] == ascending[:-1]])
        if not len(twice):
            return none, none
        places = np.flatnonzero(np.isin(marks, twice))
        rows, seqs, deliveries = (
            np.concatenate([getattr(part, name) for part in self.all])[places]
            for name in ("rows", "seqs", "deliveries")
        )
        if keyed:
            same, other = repeated_keys(marks[places], rows)
            return seqs[same], seqs[other]
        return seqs[repeated_rows(rows, deliveries)], none


def repeated_rows(rows: Any, deliveries: Any) -> Any:
    """Which rows an earlier delivery had too."""
    import pandas as pd

    frame = pd.DataFrame({"row": rows, "from": deliveries})
    nth = frame.groupby(["row", "from"], sort=False).cumcount()
    counts = frame.groupby(["row", "from"]).size().rename("most").reset_index()
    counts["most"] = counts.groupby("row")["most"].cummax()
    counts["before"] = counts.groupby("row")["most"].shift(fill_value=0)
    before = frame.merge(counts, on=["row", "from"], how="left", validate="many_to_one")["before"]
    return (nth < before).to_numpy()


def repeated_keys(keys: Any, rows: Any) -> tuple[Any, Any]:
    """Of rows that share keys: those that repeat the first of their key, and those that differ from it."""
    import numpy as np

    later = rank(keys) > 0
    _, first, group = np.unique(keys, return_index=True, return_inverse=True)
    same = rows == rows[first][group]
    return later & same, later & ~same
