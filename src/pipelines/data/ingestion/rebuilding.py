"""When the definition says otherwise how to read: all rows again, in the new form, none lost or twice.

Each row that is read again is also read in the form before, as it was taken in: its fingerprint then says
which held row it is. A held row that no source has any longer is kept, converted as far as it goes.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pipelines.config import Column, Format, PipelineConfig
from pipelines.data.columns import type_of
from pipelines.data.ingestion.conversion import convert_table
from pipelines.data.ingestion.held import Held, find
from pipelines.data.ingestion.preparing import prints_of
from pipelines.data.ingestion.schema import find_name
from pipelines.data.ingestion.staging import Staging
from pipelines.data.ingestion.unread import with_unread
from pipelines.data.storage.snapshots import CARRIED
from pipelines.data.storage.tables import dataset_of, open_table
from pipelines.home import PipelineFolder
from pipelines.records import Record, SourceRead, Task


class Form(Record):
    """What a definition says of reading."""

    task: Task
    columns: dict[str, dict[str, Any]]
    data: dict[str, Any]


def form_of(config: PipelineConfig) -> str:
    """All that decides what a row of a source is once it is stored, as JSON."""
    columns = {
        name: spec.model_dump(include={"type", "also", "optional"}) for name, spec in config.columns.items()
    }
    data = config.data.model_dump(mode="json", include={"target", "timestamp", "key", "format"})
    data["format"].pop("most_expansion")
    return Form(task=config.task, columns=columns, data=data).model_dump_json()


def with_form(config: PipelineConfig, form: str) -> PipelineConfig:
    """The definition, reading as another one did."""
    said = Form.model_validate_json(form)
    data = {**said.data, "format": Format(**said.data["format"])}
    columns = {name: Column(**spec) for name, spec in said.columns.items()}
    changes = {"task": said.task, "columns": columns, "data": config.data.model_copy(update=data)}
    return config.model_copy(update=changes)


class Rebuild:
    """What is held, while the sources are read again in a new form."""

    def __init__(self, config: PipelineConfig, folder: PipelineFolder, form: str, staging: Staging) -> None:
        self.config, self.before, self.staging = config, with_form(config, form), staging
        self.rows, self.quarantine = open_table(folder.rows), open_table(folder.quarantine)
        tables = (self.rows, self.quarantine)
        self.version = "-".join(str(t.version()) if t is not None else "none" for t in tables)
        self.repaired = Held.of(self.repaired_rows(["_row"])["_row"].to_numpy().copy())
        self.renamed: list[tuple[Any, Any]] = []  # fingerprints of originals of repaired rows: before, now
        self.delivery: list[Any] = []
        self.matched: list[tuple[Any, Any]] = []  # of each delivery its fingerprints, and how many of each

    def repaired_rows(self, columns: list[str] | None = None) -> Any:
        """Rows as their sources have them, whose repaired form was accepted."""
        import pyarrow as pa
        import pyarrow.dataset as ds

        if self.quarantine is None:
            return pa.table({"_row": pa.array([], pa.int64())})
        repaired = ds.field("_replayed").is_valid() & ds.field("_row").is_valid()
        return dataset_of(self.quarantine).to_table(columns=columns, filter=repaired)

    # -------------------------------------------------------------------------------------- read again

    def take(self, table: Any, mine: Any) -> None:
        """Stage a source's next rows: `table` as read, `mine` under the definition's names.

        The original of a row that was repaired is known, as it was before.
        """
        import pyarrow as pa

        named = {
            name: find_name(name, spec, table.column_names) for name, spec in self.before.columns.items()
        }
        there = {name: theirs for name, theirs in named.items() if theirs is not None}
        old = table.select(list(there.values())).rename_columns(list(there))
        prints = prints_of(*convert_table(old, self.before))
        known = self.repaired.known(prints)
        if known.any():
            originals = prints_of(*convert_table(mine.filter(pa.array(known)), self.config))
            self.renamed.append((prints[known], originals))
            mine, prints = mine.filter(pa.array(~known)), prints[~known]
            self.staging.pass_over(int(known.sum()))
        self.delivery.append(prints)
        self.staging.add(mine, prints)

    def was_number(self, name: str) -> bool:
        return name in self.before.columns and type_of(name, self.before) == "number"

    def end_delivery(self) -> None:
        import numpy as np

        if self.delivery:
            self.matched.append(np.unique(np.concatenate(self.delivery), return_counts=True))
        self.delivery = []
        self.repaired.next_delivery()

    # -------------------------------------------------------------------------------------- held alone

    def keep_rows(self) -> list[SourceRead]:
        """Stage the held rows that were not read again, those accepted before those that wait."""
        import pyarrow as pa

        again, kept = self.read_again(), 0
        for piece in self.held_pieces():
            alone = piece.filter(pa.array(~again.known(piece["_row"].to_numpy())))
            kept += alone.num_rows
            names = [name for name in self.config.columns if name in alone.column_names]
            self.staging.add(alone.select(names), kept=True)
        self.carry_repaired()
        name = f"{self.config.pipeline}, as held before"
        return [SourceRead(uri=name, stamp="", rows=kept, found={"format": "rows kept"})] if kept else []

    def read_again(self) -> Held:
        """How often each row was read again by the delivery that has it most often."""
        import numpy as np

        if not self.matched:
            return Held(np.empty(0, dtype=np.int64))
        prints = np.concatenate([prints for prints, _ in self.matched])
        counts = np.concatenate([counts for _, counts in self.matched])
        order = np.argsort(prints)
        prints, counts = prints[order], counts[order]
        starts = np.flatnonzero(np.r_[True, prints[1:] != prints[:-1]]) if len(prints) else order
        most = np.maximum.reduceat(counts, starts) if len(prints) else counts
        return Held(prints[starts], most.astype(np.int32))

    def held_pieces(self) -> Iterator[Any]:
        """Accepted rows, then those that wait, their unread cells as text, piece by piece."""
        import pyarrow as pa
        import pyarrow.dataset as ds

        if self.rows is not None:
            for batch in dataset_of(self.rows).to_batches():
                yield pa.table(batch)
        if self.quarantine is not None:
            waiting = ds.field("_replayed").is_null()
            for batch in dataset_of(self.quarantine).to_batches(filter=waiting):
                yield with_unread(pa.table(batch), self.before.data.format)

    def carry_repaired(self) -> None:
        """Leave beside the parts, in the new form, what quarantine remembers of repaired rows."""
        import numpy as np
        import pyarrow as pa
        from pyarrow import parquet

        if not len(self.repaired.hashes):
            return
        rows = self.repaired_rows()
        texts = with_unread(rows, self.before.data.format)
        names = [name for name in self.config.columns if name in texts.column_names]
        typed, problems = convert_table(texts.select(names), self.config)
        before = rows["_row"].to_numpy()
        now = prints_of(typed, problems)
        for old, new in self.renamed:
            order = np.argsort(old)
            there, places = find(old[order], before)
            now[there] = new[order][places]
        for name in ("_seq", "_batch", "_reason", "_quarantined_at", "_unread", "_replayed"):
            typed = typed.append_column(name, rows[name])
        typed = typed.append_column("_row", pa.array(now))
        parquet.write_table(typed, self.staging.place / CARRIED)
