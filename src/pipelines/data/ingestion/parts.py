"""The files of a batch while it is staged, and the marks by which their rows are compared with each other."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipelines.data.ingestion.held import rank
from pipelines.data.storage.tables import write_part

KEPT = -1  # the number of the delivery that is no delivery: rows that were held, when the rest is read anew
WRITES_WAITING = 3  # tables that wait to be written; more would be memory


@dataclass
class Part:
    """A file, and for each of its rows a mark, `_seq`, key (or None) and the number of its delivery.

    The mark tells rows apart: the fingerprint or, where rows come in a new form, those of both forms.
    """

    path: Path
    marks: Any
    seqs: Any
    keys: Any
    deliveries: Any

    def keep(self, stays: Any) -> None:
        """Forget the other rows, in the file too."""
        import pyarrow as pa
        from pyarrow import parquet

        write_part(parquet.read_table(self.path).filter(pa.array(stays)), self.path)
        self.marks, self.seqs, self.deliveries = self.marks[stays], self.seqs[stays], self.deliveries[stays]
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

    def write(self, table: Any, marks: Any, keys: Any, deliveries: Any) -> None:
        """A table with `_row` and `_seq` as the next part."""
        path = self.next_path()
        self.all.append(Part(path, marks, table["_seq"].to_numpy(), keys, deliveries))
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
        return sum(len(part.seqs) for part in self.all)

    def checksum(self) -> int:
        """64 bits of the rows' content, whatever their order."""
        import numpy as np

        return sum(int(part.marks.view(np.uint64).sum()) for part in self.all) % 2**64

    def remove(self, seqs: Any) -> None:
        """Take these rows out; a part without rows goes."""
        import numpy as np

        for part in self.all:
            stays = ~np.isin(part.seqs, seqs)
            if not stays.all():
                part.keep(stays)
            if not stays.any():
                part.path.unlink()
        self.all = [part for part in self.all if len(part.seqs)]

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

    def repeats(self) -> Any:
        """`_seq` of the rows that an earlier delivery had too.

        What a delivery has more of than any before it is new, and so is what was kept when the rest was read
        anew.
        """
        import numpy as np

        marks, seqs, deliveries = self.columns("marks", "seqs", "deliveries")
        places = np.flatnonzero(np.isin(marks, twice(marks)) & (deliveries != KEPT))
        return seqs[places][repeated(marks[places], deliveries[places])]

    def repeated_keys(self, problems: Any) -> tuple[Any, Any]:
        """`_seq` of the rows that are the same as another of their key, and of those that differ from it.

        Of the rows of a key one is the row: one that was accepted before, else the first without a problem.
        """
        import numpy as np

        keys, marks, seqs, deliveries = self.columns("keys", "marks", "seqs", "deliveries")
        places = np.flatnonzero(np.isin(keys, twice(keys)))
        bad, new = np.isin(seqs[places], problems), deliveries[places] != KEPT
        places = places[np.lexsort((seqs[places], new, bad))]
        later = rank(keys[places]) > 0
        _, first, group = np.unique(keys[places], return_index=True, return_inverse=True)
        same = marks[places] == marks[places][first][group]
        return seqs[places][later & same], seqs[places][later & ~same & ~np.isin(seqs[places], problems)]

    def columns(self, *names: str) -> list[Any]:
        """The marks of all parts, one array a name."""
        import numpy as np

        none = np.empty(0, dtype=np.int64)
        return [np.concatenate([getattr(part, name) for part in self.all] or [none]) for name in names]


def twice(marks: Any) -> Any:
    """The values that are there more than once, ascending."""
    import numpy as np

    ascending = np.sort(marks)
    return np.unique(ascending[1:][ascending[1:] == ascending[:-1]])


def repeated(marks: Any, deliveries: Any) -> Any:
    """Which rows an earlier delivery had too."""
    import pandas as pd

    frame = pd.DataFrame({"row": marks, "from": deliveries})
    nth = frame.groupby(["row", "from"], sort=False).cumcount()
    counts = frame.groupby(["row", "from"]).size().rename("most").reset_index()
    counts["most"] = counts.groupby("row")["most"].cummax()
    counts["before"] = counts.groupby("row")["most"].shift(fill_value=0)
    before = frame.merge(counts, on=["row", "from"], how="left", validate="many_to_one")["before"]
    return (nth < before).to_numpy()
