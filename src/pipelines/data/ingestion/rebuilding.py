"""When the definition says otherwise how to read: all rows again, in the new form, none lost or twice."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pipelines.config import PipelineConfig
from pipelines.data.ingestion.conversion import convert_table, stored_schema
from pipelines.data.ingestion.fingerprints import fingerprint
from pipelines.data.ingestion.held import Held
from pipelines.data.ingestion.staging import Staging
from pipelines.data.ingestion.unread import with_unread
from pipelines.data.storage.snapshots import user_schema
from pipelines.data.storage.tables import open_table
from pipelines.home import PipelineFolder
from pipelines.records import Intake, SourceRead


class Rebuild:
    """Finds the held rows that the sources no longer have, and stages them beside what the sources have now.

    A held row is superseded if the file that it came from is read again unchanged, or if a row that agrees in
    all columns which kept their type is read again. What a replay brought back stays: its source has the row
    as it was before it was repaired.
    """

    def __init__(
        self, config: PipelineConfig, folder: PipelineFolder, taken: list[Intake], staging: Staging
    ) -> None:
        self.config, self.taken, self.staging = config, taken, staging
        self.tables = {path: open_table(path) for path in (folder.rows, folder.quarantine)}
        self.version = self.tables[folder.rows].version()  # type: ignore[union-attr]
        now = user_schema(stored_schema(config))
        forms = [user_schema(t.to_pyarrow_dataset().schema) for t in self.tables.values() if t is not None]
        self.shared = [name for name in now if all(form.get(name) == now[name] for form in forms)]
        self.seen: list[Any] = []

    def see(self, table: Any) -> None:
        """Note rows that were read again."""
        there = [name for name in self.shared if name in table.column_names]
        self.seen.append(fingerprint(convert_table(table.select(there), self.config)[0].select(self.shared)))

    def keep_rows(self, reads: list[SourceRead]) -> list[SourceRead]:
        """Stage the held rows that nothing read again supersedes, as a last delivery."""
        import numpy as np
        import pyarrow as pa

        seen = Held.of(np.concatenate(self.seen) if self.seen else np.empty(0, dtype=np.int64))
        ranges = self.superseded_ranges(reads)
        first = self.staging.seq
        for piece in self.held_pieces():
            stays = ~in_ranges(piece["_seq"].to_numpy(), ranges) | piece["_kept"].to_numpy(
                zero_copy_only=False
            )
            rows = piece.filter(pa.array(stays))
            shared = convert_table(rows, self.config)[0].select(self.shared)
            if self.shared:
                rows = rows.filter(pa.array(~seen.known(fingerprint(shared))))
            self.staging.add(rows.drop_columns(["_seq", "_kept"]))
        self.staging.end_delivery()
        kept = self.staging.seq - first
        name = f"{self.config.pipeline}@{self.version}"
        return (
            [SourceRead(uri=name, stamp="", rows=kept, first=first, found={"format": "rows kept"})]
            if kept
            else []
        )

    def superseded_ranges(self, reads: list[SourceRead]) -> list[tuple[int, int]]:
        """The `_seq` ranges of rows whose file is read again and has not changed."""
        again = {(read.uri, read.stamp) for read in reads if read.stamp}
        old = [source for intake in self.taken if not intake.batch.replays for source in intake.batch.sources]
        return [(s.first, s.first + s.rows) for s in old if (s.uri, s.stamp) in again]

    def held_pieces(self) -> Iterator[Any]:
        """Accepted rows, and waiting ones with their unread cells as text, piece by piece."""
        import pyarrow as pa
        import pyarrow.compute as pc

        replays = pa.array([i.batch.id for i in self.taken if i.batch.replays], pa.string())
        for table in self.tables.values():
            if table is None:
                continue
            dataset = table.to_pyarrow_dataset()
            names = [name for name in self.config.columns if name in dataset.schema.names]
            marks = [
                name for name in ("_seq", "_batch", "_unread", "_replayed") if name in dataset.schema.names
            ]
            for batch in dataset.to_batches(columns=[*names, *marks]):
                piece = pa.table(batch)
                if "_replayed" in marks:
                    piece = with_unread(piece.filter(pc.is_null(piece["_replayed"])), self.config.data.format)
                kept = pc.is_in(piece["_batch"].cast(pa.string()), value_set=replays)
                yield piece.select([*names, "_seq"]).append_column("_kept", kept)


def in_ranges(seqs: Any, ranges: list[tuple[int, int]]) -> Any:
    """Which numbers lie in one of the half-open ranges."""
    import numpy as np

    inside = np.zeros(len(seqs), dtype=bool)
    for low, high in ranges:
        inside |= (seqs >= low) & (seqs < high)
    return inside
