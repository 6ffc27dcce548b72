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
from pipelines.data.ingestion.conversion import stored_schema
from pipelines.data.ingestion.held import Held, HeldKeys, held_keys, held_rows
from pipelines.data.ingestion.parts import KEPT, Part, Parts
from pipelines.data.ingestion.preparing import Staged, key_prints, key_problems, prepare
from pipelines.data.ingestion.problems import Problems
from pipelines.data.storage.snapshots import next_seq
from pipelines.errors import EvergreenError, writing
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
        self.held = Held(none) if replay or rebuild or config.data.key else held_rows(self.folder)
        keyed = config.data.key and not rebuild
        self.held_keys = held_keys(self.folder, config, replay) if keyed else HeldKeys.of(none, none)
        self.start = self.seq = next_seq(self.folder)
        self.place = self.folder.incoming / f".staging-{os.getpid()}-{id(self)}"
        self.waiting: deque[tuple[Future[Staged], int, Any]] = deque()
        self.pending: list[tuple[Any, Any, Any, Any]] = []  # rows, marks, keys, deliveries: less than a part
        self.dropped: list[Any] = []  # `_seq` of rows that stand in a part and are known
        self.known = self.deliveries = 0

    def __enter__(self) -> Staging:
        self.place.mkdir(parents=True, exist_ok=True)
        self.pool = ThreadPoolExecutor(max_workers=max(2, os.cpu_count() or 2))
        self.parts, self.problems = Parts(self.place, self.pool), Problems(self.place)
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

    def add(self, table: Any, before: Any = None, *, kept: bool = False) -> None:
        """Take the next rows of the delivery, under the definition's names; with `_seq`, in a replay.

        In a rebuild, `before` are their fingerprints in the form before; `kept` rows are no delivery.
        """
        job = self.pool.submit(prepare, table, self.config, None if self.replay else self.seq)
        self.waiting.append((job, KEPT if kept else self.deliveries, before))
        self.seq += table.num_rows
        while len(self.waiting) > LOOK_AHEAD:
            self.take()

    def pass_over(self, rows: int) -> None:
        """Count rows that were read and are known."""
        self.known += rows
        self.seq += rows

    def end_delivery(self) -> None:
        """What comes now is another delivery: a row that this one had too is not new."""
        while self.waiting:
            self.take()
        self.held.next_delivery()
        self.deliveries += 1

    def take(self) -> None:
        """Drop what is held, note the problems of the rest, write a part when there is enough."""
        import numpy as np
        import pyarrow as pa
        import pyarrow.compute as pc

        job, delivery, before = self.waiting.popleft()
        rows, problems, keys = job.result()
        prints = rows["_row"].to_numpy()
        known, other = self.compare(prints, keys)
        self.problems.add(key_problems(rows.filter(pa.array(other)), self.config))
        marks = prints if before is None else prints + before
        if known.any():
            self.known += int(known.sum())
            rows, marks = rows.filter(pa.array(~known)), marks[~known]
            keys = None if keys is None else keys[~known]
            problems = problems.filter(pc.is_in(problems["_seq"], value_set=rows["_seq"].combine_chunks()))
        self.problems.add(problems)
        self.pending.append((rows, marks, keys, np.full(len(marks), delivery, dtype=np.int32)))
        if sum(rows.num_rows for rows, *_ in self.pending) >= rows_per_part(rows.num_columns):
            self.flush()

    def compare(self, rows: Any, keys: Any) -> tuple[Any, Any]:
        """Which of the delivery's next rows are held, and which have a key that is, with other values."""
        import numpy as np

        if keys is None:
            return self.held.known(rows), np.zeros(len(rows), dtype=bool)
        return self.held_keys.compare(keys, rows)

    def flush(self) -> None:
        """Write what waits as one part."""
        import numpy as np
        import pyarrow as pa

        if sum(rows.num_rows for rows, *_ in self.pending):
            rows, marks, keys, deliveries = zip(*self.pending, strict=True)
            joined = None if keys[0] is None else np.concatenate(keys)
            self.parts.write(
                pa.concat_tables(rows), np.concatenate(marks), joined, np.concatenate(deliveries)
            )
        self.pending.clear()

    # ---------------------------------------------------------------------------------- by another process

    def hand_over(self, folder: Path) -> None:
        """Leave what came in so far in `folder`, for `adopt` in the process that puts the batch together."""
        self.flush()
        self.parts.settle()
        self.problems.write()
        shutil.rmtree(folder, ignore_errors=True)  # of a task that was killed
        self.place.rename(folder)

    def adopt(self, folder: Path, end: int) -> None:
        """Take over a delivery that another process staged, `_seq` below `end`; what is held will go."""
        import numpy as np
        from pyarrow import parquet

        self.problems.adopt(folder / "problems.parquet")
        for staged in sorted(folder.glob("part-*.parquet")):
            path = staged.rename(self.parts.next_path())
            columns = parquet.read_table(path, columns=["_row", "_seq", *self.config.data.key])
            rows, seqs = columns["_row"].to_numpy(), columns["_seq"].to_numpy()
            keys = key_prints(columns, seqs, self.config)
            deliveries = np.full(len(rows), self.deliveries, dtype=np.int32)
            self.parts.all.append(Part(path, rows, seqs, keys, deliveries))
            known, other = self.compare(rows, keys)
            self.dropped.append(seqs[known])
            self.note_keys(seqs[other])
        self.held.next_delivery()
        self.deliveries += 1
        self.seq = end

    # -------------------------------------------------------------------------------------- the batch ends

    def finish(self, sources: list[SourceRead], salt: str = "", **facts: Any) -> Batch:
        """The batch, in its place: whole or not at all. `facts` are further fields of it."""
        while self.waiting:
            self.take()
        self.flush()
        self.parts.settle()
        self.drop_repeats()
        rows = self.parts.row_count
        self.check_sum(sources)
        if not rows:  # nothing new, and yet one reading is not another
            salt += "".join(source.stamp for source in sources)
        batch_id = self.identify(salt)
        problems = self.problems.write()
        folder = self.folder.incoming / batch_id
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
        for seqs in self.dropped:
            self.drop(seqs)
        if self.config.data.key:
            same, other = self.parts.repeated_keys(self.problems.rows())
            self.note_keys(other)
            self.drop(same)
        elif self.deliveries > 1:
            self.drop(self.parts.repeats())

    def note_keys(self, seqs: Any) -> None:
        """Name rows of the parts whose key another row has."""
        for rows in self.parts.find(seqs):
            self.problems.add(key_problems(rows, self.config))

    def drop(self, seqs: Any) -> None:
        """Take these rows out of the parts, and their problems with them: they are known."""
        if len(seqs):
            self.known += len(seqs)
            self.parts.remove(seqs)
            self.problems.drop(seqs)

    def check_sum(self, sources: list[SourceRead]) -> None:
        """No row that was read may be neither staged nor known."""
        read = sum(source.rows for source in sources)
        if sources and read != self.parts.row_count + self.known:
            raise EvergreenError(
                f"{read:,} rows were read, {self.parts.row_count:,} are new and {self.known:,} known:"
                " the numbers do not agree.",
                "Nothing was taken in. This is a fault of Evergreen: please report it.",
            )

    def identify(self, salt: str) -> str:
        """An id of the batch's content, whatever the order of its rows, and of what was taken in before."""
        schema = stored_schema(self.config)
        rows = f"{self.parts.row_count}:{self.parts.checksum()}"
        content = f"{schema}{salt}{self.replay}{self.rebuild}{self.start}:{rows}"
        return hashlib.sha256(content.encode()).hexdigest()[:16]


def clear_abandoned(folder: Path) -> None:
    """Remove what killed processes left behind while they staged."""
    import psutil

    for place in folder.glob(".staging-*"):
        if not psutil.pid_exists(int(place.name.split("-")[1])):
            shutil.rmtree(place, ignore_errors=True)
