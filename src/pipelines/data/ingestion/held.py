"""What the pipeline holds already, by fingerprint: so that no row is taken in twice."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from pipelines.config import PipelineConfig
from pipelines.data.ingestion.fingerprints import fingerprint
from pipelines.data.storage.tables import dataset_of, open_table
from pipelines.home import PipelineFolder


@dataclass
class Held:
    """Fingerprints, ascending and each once, with how many rows have each (`counts` None: one).

    A delivery's row is known while the delivery has had no more equals of it than are held: the same file
    again adds nothing, an overlapping one what is new, and true duplicates within one file stay.
    """

    hashes: Any
    counts: Any = None
    used: Any = field(init=False)

    def __post_init__(self) -> None:
        self.next_delivery()

    @classmethod
    def of(cls, hashes: Any) -> Held:
        """Counts the fingerprints, which it may sort in place."""
        import numpy as np

        hashes.sort()
        first = np.r_[True, hashes[1:] != hashes[:-1]] if len(hashes) else np.empty(0, dtype=bool)
        if first.all():
            return cls(hashes)
        starts = np.flatnonzero(first)
        return cls(hashes[starts], np.diff(np.r_[starts, len(hashes)]).astype(np.int32))

    def next_delivery(self) -> None:
        import numpy as np

        self.used = np.zeros(len(self.hashes), dtype=np.int32)

    def known(self, rows: Any) -> Any:
        """Which of these rows, the delivery's next, are held already."""
        import numpy as np

        there, places = find(self.hashes, rows)
        nth = self.used[places] + rank(places)
        np.add.at(self.used, places, 1)
        there[there] = nth < (1 if self.counts is None else self.counts[places])
        return there


@dataclass(frozen=True)
class HeldKeys:
    """Fingerprints of the accepted keys, and of all rows that are held; ascending and each once.

    A key whose row waits in quarantine is free: its corrected row is let in.
    """

    keys: Any
    rows: Any

    @classmethod
    def of(cls, keys: Any, rows: Any) -> HeldKeys:
        import numpy as np

        return cls(np.unique(keys), np.unique(rows))

    def compare(self, keys: Any, rows: Any) -> tuple[Any, Any]:
        """Which rows are held as they are, and which have an accepted key with other values."""
        there, _ = find(self.keys, keys)
        same, _ = find(self.rows, rows)
        return same, there & ~same


def find(ascending: Any, wanted: Any) -> tuple[Any, Any]:
    """Which of the wanted values are there, and the places of those."""
    import numpy as np

    if len(ascending) == 0:
        return np.zeros(len(wanted), dtype=bool), np.empty(0, dtype=np.int64)
    places = np.minimum(np.searchsorted(ascending, wanted), len(ascending) - 1)
    there = ascending[places] == wanted
    return there, places[there]


def rank(values: Any) -> Any:
    """How many equals stand before each value."""
    import numpy as np

    order = np.argsort(values, kind="stable")
    ascending = values[order]
    starts = np.flatnonzero(np.r_[True, ascending[1:] != ascending[:-1]]) if len(values) else values
    ranks = np.empty(len(values), dtype=np.int64)
    ranks[order] = np.arange(len(values)) - np.repeat(starts, np.diff(np.r_[starts, len(values)]))
    return ranks


# ------------------------------------------------------------------------------------------------ reading


def held_rows(folder: PipelineFolder) -> Held:
    """All that is held: accepted or quarantined, but for what a replay brought into the rows as it was."""
    import numpy as np

    return Held.of(np.concatenate([column(path, "_row") for path in (folder.rows, folder.quarantine)]))


def column(path: Any, name: str) -> Any:
    """A hidden column of a Delta table as int64, without nulls; empty where there is no table."""
    import numpy as np

    table = open_table(path)
    if table is None:
        return np.empty(0, dtype=np.int64)
    return dataset_of(table).to_table(columns=[name])[name].drop_null().to_numpy()


def held_keys(folder: PipelineFolder, config: PipelineConfig, accepted_only: bool) -> HeldKeys:
    """The accepted keys and the held rows; of the rows the accepted ones alone where a replay compares."""
    import numpy as np

    keys = [np.empty(0, dtype=np.int64)]
    table = open_table(folder.rows)
    if table is not None:
        keys += map(fingerprint, dataset_of(table).to_batches(columns=config.data.key))
    paths = (folder.rows,) if accepted_only else (folder.rows, folder.quarantine)
    return HeldKeys.of(np.concatenate(keys), np.concatenate([column(path, "_row") for path in paths]))
