"""What the pipeline holds already, by fingerprint: so that no row is taken in twice."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from pipelines.config import PipelineConfig
from pipelines.data.ingestion.fingerprints import fingerprint
from pipelines.data.storage.tables import open_table
from pipelines.home import PipelineFolder


@dataclass
class Held:
    """Fingerprints, ascending and each once, with how many rows have each; or with the row of each key.

    A delivery's row is known while the delivery has had no more equals of it than are held: the same file
    again adds nothing, an overlapping one what is new, and true duplicates within one file stay.
    """

    hashes: Any
    counts: Any
    used: Any = field(init=False)

    def __post_init__(self) -> None:
        self.next_delivery()

    @classmethod
    def of(cls, hashes: Any) -> Held:
        import numpy as np

        return cls(*np.unique(hashes, return_counts=True))

    def next_delivery(self) -> None:
        import numpy as np

        self.used = np.zeros(len(self.hashes), dtype=np.int64)

    def known(self, rows: Any) -> Any:
        """Which of these rows, the delivery's next, are held already."""
        import numpy as np

        there, places = find(self.hashes, rows)
        nth = self.used[places] + rank(places)
        np.add.at(self.used, places, 1)
        there[there] = nth < self.counts[places]
        return there


@dataclass(frozen=True)
class HeldKeys:
    """Fingerprints of the keys that are held and of the rows that have them, ascending.

    A key may have several rows: as its row was refused, and as it was repaired.
    """

    keys: Any
    rows: Any

    @classmethod
    def of(cls, keys: Any, rows: Any) -> HeldKeys:
        import numpy as np

        return cls(np.unique(keys), np.unique(rows))

    def compare(self, keys: Any, rows: Any) -> tuple[Any, Any]:
        """Which rows are held as they are, and which have a held key with other values."""
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

    parts = [column(path, "_row") for path in (folder.rows, folder.quarantine)]
    return Held.of(np.concatenate(parts))


def column(path: Any, name: str) -> Any:
    """A hidden column of a Delta table as int64, without nulls; empty where there is no table."""
    import numpy as np

    table = open_table(path)
    if table is None:
        return np.empty(0, dtype=np.int64)
    return table.to_pyarrow_dataset().to_table(columns=[name])[name].drop_null().to_numpy()


def held_keys(folder: PipelineFolder, config: PipelineConfig, accepted_only: bool) -> HeldKeys:
    """The keys of what is held; of what was accepted alone where a replay compares with it."""
    import numpy as np
    import pyarrow.compute as pc

    keys, rows = [np.empty(0, dtype=np.int64)], [np.empty(0, dtype=np.int64)]
    for path in (folder.rows,) if accepted_only else (folder.rows, folder.quarantine):
        table = open_table(path)
        if table is not None:
            for piece in table.to_pyarrow_dataset().to_batches(columns=[*config.data.key, "_row"]):
                whole = piece.filter(pc.is_valid(piece["_row"]))
                keys.append(fingerprint(whole.select(config.data.key)))
                rows.append(whole["_row"].to_numpy())
    return HeldKeys.of(np.concatenate(keys), np.concatenate(rows))
