"""What was wrong while a batch was read: a line for each cell or key, on disk when there are many."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pipelines.data.ingestion.conversion import problem_schema

IN_MEMORY = 200_000  # lines


class Problems:
    """The lines of `problems.parquet`, by `_seq`; lines of rows that turn out to be known are left out."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.tables: list[Any] = []
        self.files: list[Path] = []
        self.dropped: list[Any] = []
        self.lines = 0

    def add(self, lines: Any) -> None:
        """Take lines: `_seq`, rule, column, found, expected."""
        if lines.num_rows:
            self.tables.append(lines)
            self.lines += lines.num_rows
        if self.lines > IN_MEMORY:
            self.spill()

    def spill(self) -> None:
        import pyarrow as pa
        from pyarrow import parquet

        path = self.place / f"lines-{len(self.files):05d}.parquet"
        parquet.write_table(pa.concat_tables(self.tables), path)
        self.files.append(path)
        self.tables.clear()
        self.lines = 0

    def adopt(self, file: Path) -> None:
        """Take over the lines that another process wrote."""
        if file.exists():
            self.files.append(file.rename(self.place / f"lines-{len(self.files):05d}.parquet"))

    def drop(self, seqs: Any) -> None:
        """Leave out the lines of these rows."""
        self.dropped.append(seqs)

    def rows(self) -> Any:
        """`_seq` of the rows that have problems."""
        import numpy as np
        from pyarrow import parquet

        found = [table["_seq"].to_numpy() for table in self.tables]
        found += [parquet.read_table(file, columns=["_seq"])["_seq"].to_numpy() for file in self.files]
        return np.unique(np.concatenate(found)) if found else np.empty(0, dtype=np.int64)

    def write(self) -> int:
        """Write problems.parquet, if there is a line; how many there are."""
        import numpy as np
        import pyarrow as pa
        import pyarrow.compute as pc
        from pyarrow import parquet

        gone = pa.array(np.concatenate(self.dropped) if self.dropped else [], pa.int64())
        schema = problem_schema().set(0, pa.field("_seq", pa.int64()))
        path, count = self.place / "problems.parquet", 0
        with parquet.ParquetWriter(path, schema) as writer:
            for piece in self.pieces():
                stays = piece.filter(pc.invert(pc.is_in(piece["_seq"], value_set=gone)))
                writer.write_table(stays)
                count += stays.num_rows
        for file in self.files:
            file.unlink()
        if not count:
            path.unlink()
        return count

    def pieces(self) -> Any:
        from pyarrow import parquet

        yield from self.tables
        for file in self.files:
            yield parquet.read_table(file)
