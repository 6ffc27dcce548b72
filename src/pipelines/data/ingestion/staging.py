"""Write a batch: rows come in as tables, each delivery by itself, and stand as Parquet parts at the end."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Any

from pipelines.config import PipelineConfig
from pipelines.data.ingestion.conversion import convert_table, problem_schema, stored_schema
from pipelines.data.ingestion.fingerprints import add_texts, fingerprint
from pipelines.data.ingestion.held import Held, HeldKeys, held_keys, held_rows
from pipelines.data.ingestion.parts import Part, Parts
from pipelines.data.storage.snapshots import next_seq
from pipelines.errors import writing
from pipelines.home import Home
from pipelines.records import Batch, SourceRead

CELLS = 10_000_000  # of a part: 80 MB of numbers
LOOK_AHEAD = 3  # tables that wait for a core


def rows_per_part(columns: int) -> int:
    return max(1000, min(1_000_000, CELLS // max(columns, 1)))


class Staging:
    """Takes tables in the definition's names, keeps what is new, and names what cannot be read.

    With `replay`, rows bring their `_seq`, and only what was accepted counts as held; with `rebuild`, nothing
    does. Whatever ends the `with` block before `finish` leaves nothing behind.
    """

    def __init__(
        self, config: PipelineConfig, home: Home, *, replay: bool = False, rebuild: bool = False
    ) -> None:
        import numpy as np

        self.config, self.home = config, home
        self.folder = home.pipeline(config.pipeline)
        self.replay, self.rebuild = replay, rebuild
        none = np.empty(0, dtype=np.int64)
        self.held = Held.of(none) if replay or rebuild else held_rows(self.folder)
        keyed = bool(config.data.key)
        self.held_keys = (
            held_keys(self.folder, config, replay) if keyed and not rebuild else HeldKeys.of(none, none)
        )
        self.start = self.seq = next_seq(self.folder)
        self.place = self.folder.incoming / f".staging-{os.getpid()}-{id(self)}"
        self.waiting: deque[Future[Any]] = deque()
        self.pending: list[tuple[Any, Any, int]] = []  # rows, keys, delivery: less than a part
        self.problems: list[Any] = []
        self.dropped: list[Any] = []  # `_seq` of rows that stand in a part and are known
        self.known = self.deliveries = 0

    def __enter__(self) -> Staging:
        self.place.mkdir(parents=True, exist_ok=True)
        self.pool = ThreadPoolExecutor(max_workers=max(2, os.cpu_count() or 2))
        self.parts = Parts(self.place, self.pool)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        self.pool.shutdown(cancel_futures=True)
        shutil.rmtree(self.place, ignore_errors=True)
        if isinstance(error, OSError):
            with writing("the batch", self.place.parent, "nothing was taken in"):
                raise error

    # -------------------------------------------------------------------------------------- rows come in

    def add(self, table: Any) -> None:
        """Take the next rows of the delivery, under the definition's names; with `_seq`, in a replay."""
        self.waiting.append(self.pool.submit(self.prepare, table, self.seq))
        self.seq += table.num_rows
        while len(self.waiting) > LOOK_AHEAD:
            self.take(self.waiting.popleft().result())

    def end_delivery(self) -> None:
        """What comes now is another delivery: a row that this one had too is not new."""
        while self.waiting:
            self.take(self.waiting.popleft().result())
        self.held.next_delivery()
        self.deliveries += 1

    def prepare(self, table: Any, start: int) -> tuple[Any, Any, Any]:
        """The rows as they are stored, their problems by `_seq`, and their keys."""
        import numpy as np
        import pyarrow as pa

        rows, problems = convert_table(table, self.config)
        seq = table["_seq"].to_numpy() if self.replay else np.arange(start, start + table.num_rows)
        keys = fingerprint(rows.select(self.config.data.key)) if self.config.data.key else None
        prints = fingerprint(rows)
        add_texts(prints, problems)
        rows = rows.append_column("_row", pa.array(prints)).append_column("_seq", pa.array(seq))
        problems = problems.set_column(0, "_seq", pa.array(seq[problems["row"].to_numpy()], pa.int64()))
        return rows, problems, keys

    def take(self, prepared: tuple[Any, Any, Any]) -> None:
        """Drop what is held, note the problems of the rest, write a part when there is enough."""
        import pyarrow as pa
        import pyarrow.compute as pc

        rows, problems, keys = prepared
        known, other = self.compare(rows["_row"].to_numpy(), keys)
        if other.any():
            problems = pa.concat_tables([problems, self.key_problems(rows.filter(pa.array(other)))])
        if known.any():
            self.known += int(known.sum())
            rows = rows.filter(pa.array(~known))
            problems = problems.filter(pc.is_in(problems["_seq"], value_set=rows["_seq"].combine_chunks()))
        if problems.num_rows:
            self.problems.append(problems)
        self.pending.append((rows, None if keys is None else keys[~known], self.deliveries))
        if sum(table.num_rows for table, _, _ in self.pending) >= rows_per_part(rows.num_columns):
            self.flush()

    def compare(self, rows: Any, keys: Any) -> tuple[Any, Any]:
        """Which of the delivery's next rows are held, and which have a key that is, with other values."""
        import numpy as np

        if keys is None:
            return self.held.known(rows), np.zeros(len(rows), dtype=bool)
        return self.held_keys.compare(keys, rows)

    def key_problems(self, rows: Any) -> Any:
        """A problem for each row whose key is held with other values."""
        import pyarrow as pa

        keys = self.config.data.key
        found = [", ".join(f"{name} {row[name]}" for name in keys) for row in rows.select(keys).to_pylist()]
        words = {
            "rule": "key_is_new",
            "column": ", ".join(keys),
            "found": None,
            "expected": "a key that no other row has",
        }
        columns = [
            pa.repeat(value, len(found)) if value else pa.array(found, pa.string())
            for value in words.values()
        ]
        schema = problem_schema().set(0, pa.field("_seq", pa.int64()))
        return pa.table([rows["_seq"], *columns], schema=schema)

    def flush(self) -> None:
        """Write what waits as one part."""
        import numpy as np
        import pyarrow as pa

        if not sum(table.num_rows for table, _, _ in self.pending):
            self.pending.clear()
            return
        rows = pa.concat_tables([table for table, _, _ in self.pending])
        deliveries = np.concatenate([np.full(table.num_rows, number) for table, _, number in self.pending])
        keys = [keys for _, keys, _ in self.pending]
        self.parts.write(rows, None if keys[0] is None else np.concatenate(keys), deliveries)
        self.pending.clear()

    # ---------------------------------------------------------------------------------- by another process

    def hand_over(self, folder: Path) -> None:
        """Leave what came in so far in `folder`, for `adopt` in the process that puts the batch together."""
        self.flush()
        self.parts.settle()
        self.write_problems()
        shutil.rmtree(folder, ignore_errors=True)  # of a task that was killed
        self.place.rename(folder)

    def adopt(self, folder: Path, end: int) -> None:
        """Take over a delivery that another process staged, `_seq` below `end`; what is held will go."""
        import numpy as np
        from pyarrow import parquet

        if (folder / "problems.parquet").exists():
            self.problems.append(parquet.read_table(folder / "problems.parquet"))
        for staged in sorted(folder.glob("part-*.parquet")):
            path = staged.rename(self.parts.next_path())
            marks = parquet.read_table(path, columns=["_row", "_seq", *self.config.data.key])
            rows, seqs = marks["_row"].to_numpy(), marks["_seq"].to_numpy()
            keys = fingerprint(marks.select(self.config.data.key)) if self.config.data.key else None
            self.parts.all.append(Part(path, rows, seqs, keys, np.full(len(rows), self.deliveries)))
            known, other = self.compare(rows, keys)
            self.dropped.append(seqs[known])
            self.problems += map(self.key_problems, self.parts.find(seqs[other]))
        self.held.next_delivery()
        self.deliveries += 1
        self.seq = end

    # -------------------------------------------------------------------------------------- the batch ends

    def finish(self, sources: list[SourceRead], salt: str = "", **facts: Any) -> Batch:
        """The batch, in its place: whole or not at all. `facts` are further fields of it."""
        if self.waiting:
            self.end_delivery()
        self.flush()
        self.parts.settle()
        self.drop_repeats()
        if not self.parts.row_count:  # nothing new, and yet one reading is not another
            salt += "".join(source.stamp for source in sources)
        batch_id = self.identify(salt)
        problems = self.write_problems()
        folder = self.folder.incoming / batch_id
        rows = self.parts.row_count
        if rows:
            shutil.rmtree(folder, ignore_errors=True)  # the same batch, staged before and not accepted
            self.place.rename(folder)
        return Batch(
            pipeline=self.config.pipeline,
            id=batch_id,
            folder=str(folder),
            rows=rows,
            known=self.known,
            sources=sources,
            problems=problems,
            replays=self.replay,
            rebuilt=self.rebuild,
            **facts,
        )

    def drop_repeats(self) -> None:
        """Take out what is known or came in several deliveries; name keys that come twice."""
        import numpy as np

        keyed = bool(self.config.data.key)
        self.drop(np.concatenate(self.dropped) if self.dropped else self.dropped)
        if self.deliveries > 1 or keyed:
            same, other = self.parts.repeats(keyed)
            self.problems += map(self.key_problems, self.parts.find(other))
            self.drop(same)

    def drop(self, seqs: Any) -> None:
        """Take these rows out of the parts, and their problems with them: they are known."""
        import pyarrow as pa
        import pyarrow.compute as pc

        if len(seqs):
            self.known += len(seqs)
            self.parts.remove(seqs)
            gone = pa.array(seqs)
            self.problems = [p.filter(pc.invert(pc.is_in(p["_seq"], value_set=gone))) for p in self.problems]

    def identify(self, salt: str) -> str:
        """An id of the batch's content, whatever the order of its rows, and of what was taken in before."""
        schema = stored_schema(self.config)
        rows = f"{self.parts.row_count}:{self.parts.checksum()}"
        content = f"{schema}{salt}{self.replay}{self.rebuild}{self.start}:{rows}"
        return hashlib.sha256(content.encode()).hexdigest()[:16]

    def write_problems(self) -> int:
        from pyarrow import concat_tables, parquet

        lines = concat_tables(self.problems) if self.problems else None
        if lines is None or not lines.num_rows:
            return 0
        parquet.write_table(lines, self.place / "problems.parquet")
        return int(lines.num_rows)


def clear_abandoned(folder: Path) -> None:
    """Remove what killed processes left behind while they staged."""
    import psutil

    for place in folder.glob(".staging-*"):
        if not psutil.pid_exists(int(place.name.split("-")[1])):
            shutil.rmtree(place, ignore_errors=True)
