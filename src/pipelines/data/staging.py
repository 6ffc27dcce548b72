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
from pipelines.data.conversion import convert_table, problem_schema, stored_schema
from pipelines.data.fingerprints import add_texts, fingerprint
from pipelines.data.held import Held, HeldKeys, held_keys, held_rows, rank
from pipelines.data.snapshots import next_seq
from pipelines.data.tables import write_part
from pipelines.errors import EvergreenError
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
        self.pending: list[Any] = []
        self.writes: list[Future[Any]] = []
        self.parts: list[dict[str, Any]] = []  # fingerprints, keys, `_seq` and delivery of each part's rows
        self.problems: list[Any] = []
        self.known = self.deliveries = 0

    def __enter__(self) -> Staging:
        self.place.mkdir(parents=True, exist_ok=True)
        self.pool = ThreadPoolExecutor(max_workers=max(2, os.cpu_count() or 2))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        self.pool.shutdown(cancel_futures=True)
        shutil.rmtree(self.place, ignore_errors=True)
        if isinstance(error, OSError):
            raise EvergreenError(
                f"{self.place.parent}: the batch could not be written: {error.strerror or error}.",
                "Make room or mend the permissions, then start again: nothing was taken in.",
            ) from error

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
        hashes = rows["_row"].to_numpy()
        if keys is None:
            known = self.held.known(hashes)
        else:
            known, other = self.held_keys.compare(keys, hashes)
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
        delivery = np.concatenate([np.full(table.num_rows, number) for table, _, number in self.pending])
        keys = None if self.pending[0][1] is None else np.concatenate([keys for _, keys, _ in self.pending])
        self.pending.clear()
        path = self.place / f"part-{len(self.parts):05d}.parquet"
        self.parts.append(
            {
                "path": path,
                "row": rows["_row"].to_numpy(),
                "seq": rows["_seq"].to_numpy(),
                "key": keys,
                "from": delivery,
            }
        )
        while len(self.writes) > LOOK_AHEAD:
            self.writes.pop(0).result()
        self.writes.append(self.pool.submit(write_part, rows, path))

    # -------------------------------------------------------------------------------------- the batch ends

    def finish(self, sources: list[SourceRead], salt: str = "", **facts: Any) -> Batch:
        """The batch, in its place: whole or not at all. `facts` are further fields of it."""
        if self.waiting:
            self.end_delivery()
        self.flush()
        for write in self.writes:
            write.result()
        self.drop_repeats()
        batch_id = self.identify(salt)
        problems = self.write_problems()
        folder = self.folder.incoming / batch_id
        rows = sum(len(part["row"]) for part in self.parts)
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
        """Take out rows that several deliveries of this batch have; with a key, all but the first of each."""
        import numpy as np

        keyed = bool(self.config.data.key)
        if not self.parts or (self.deliveries <= 1 and not keyed):
            return
        marks = np.concatenate([part["key" if keyed else "row"] for part in self.parts])
        ascending = np.sort(marks)
        twice = np.unique(ascending[1:][ascending[1:] == ascending[:-1]])
        if not len(twice):
            return
        places = np.flatnonzero(np.isin(marks, twice))
        whole = {
            name: np.concatenate([part[name] for part in self.parts])[places]
            for name in ("row", "seq", "from")
        }
        if keyed:
            known, other = repeated_keys(marks[places], whole["row"])
            self.note_repeated_keys(whole["seq"][other])
        else:
            known = repeated_rows(whole["row"], whole["from"])
        self.known += int(known.sum())
        self.remove(whole["seq"][known])

    def note_repeated_keys(self, seqs: Any) -> None:
        """A row of this batch whose key another row of it has, with other values, is a problem."""
        import numpy as np
        import pyarrow as pa
        from pyarrow import parquet

        for part in self.parts:
            here = np.isin(part["seq"], seqs)
            if here.any():
                self.problems.append(
                    self.key_problems(parquet.read_table(part["path"]).filter(pa.array(here)))
                )

    def remove(self, seqs: Any) -> None:
        """Write the parts anew without these rows, and forget their problems."""
        import numpy as np
        import pyarrow as pa
        import pyarrow.compute as pc
        from pyarrow import parquet

        for part in self.parts:
            stays = ~np.isin(part["seq"], seqs)
            if not stays.all():
                write_part(parquet.read_table(part["path"]).filter(pa.array(stays)), part["path"])
                part.update({name: part[name][stays] for name in ("row", "seq", "from")})
        gone = pa.array(seqs)
        self.problems = [p.filter(pc.invert(pc.is_in(p["_seq"], value_set=gone))) for p in self.problems]
        for part in self.parts:
            if not len(part["row"]):
                part["path"].unlink()
        self.parts = [part for part in self.parts if len(part["row"])]

    def identify(self, salt: str) -> str:
        """An id of the batch's content, whatever the order of its rows, and of what was taken in before."""
        import numpy as np

        sums = [int(part["row"].view(np.uint64).sum()) for part in self.parts]
        count = sum(len(part["row"]) for part in self.parts)
        schema = stored_schema(self.config)
        content = f"{schema}{salt}{self.replay}{self.rebuild}{self.start}:{count}:{sum(sums) % 2**64}"
        return hashlib.sha256(content.encode()).hexdigest()[:16]

    def write_problems(self) -> int:
        from pyarrow import concat_tables, parquet

        lines = concat_tables(self.problems) if self.problems else None
        if lines is None or not lines.num_rows:
            return 0
        parquet.write_table(lines, self.place / "problems.parquet")
        return int(lines.num_rows)


def repeated_rows(rows: Any, deliveries: Any) -> Any:
    """Which rows an earlier delivery had too; what a delivery has more of than any before it is new."""
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


def clear_abandoned(folder: Path) -> None:
    """Remove what killed processes left behind while they staged."""
    import psutil

    for place in folder.glob(".staging-*"):
        if not psutil.pid_exists(int(place.name.split("-")[1])):
            shutil.rmtree(place, ignore_errors=True)
