"""Finish what killed processes left half done, so that what is held is known exactly."""

from __future__ import annotations

from pathlib import Path

from pipelines.data.storage.snapshots import accept_batch
from pipelines.data.storage.tables import dataset_of, open_table, update_rows, was_written
from pipelines.home import Home
from pipelines.ledger import Ledger


def finish_intakes(home: Home, pipeline: str) -> None:
    """Finish what a killed process had begun to accept: its rows are in, or quarantined, and nobody was told.

    A batch of which nothing was written stays staged; its source is read again. Replays are noted, too.
    """
    folder = home.pipeline(pipeline)
    for intake in Ledger.open(home).intakes(pipeline, "staged"):
        batch = intake.batch
        begun = was_written(folder.quarantine, batch.id) and Path(batch.folder).is_dir()
        if intake.report is not None and (begun or was_written(folder.rows, batch.id)):
            accept_batch(home, batch, intake.report)
    settle_replays(home, pipeline)


def settle_replays(home: Home, pipeline: str) -> None:
    """Note what replays have brought back and could not note themselves, because they were killed."""
    if open_table(home.pipeline(pipeline).quarantine) is None:  # and so nothing was ever replayed
        return
    replays = [intake.batch.id for intake in Ledger.open(home).intakes(pipeline) if intake.batch.replays]
    if replays:
        note_return(home, pipeline, replays)


def note_return(home: Home, pipeline: str, batches: list[str]) -> None:
    """Mark waiting rows that these batches have put among the accepted ones.

    A row that came back as it was gives up its fingerprint, or it would count as held twice; one that was
    repaired keeps it: the row as it was is known, should its source deliver it again.
    """
    import pyarrow.compute as pc
    import pyarrow.dataset as ds

    folder = home.pipeline(pipeline)
    rows, quarantine = open_table(folder.rows), open_table(folder.quarantine)
    if rows is None or quarantine is None:
        return
    unmarked = ds.field("_replayed").is_null()
    waiting = dataset_of(quarantine).to_table(columns=["_seq"], filter=unmarked)["_seq"].combine_chunks()
    back = dataset_of(rows).to_table(
        columns={
            "_seq": ds.field("_seq"),
            "_row": ds.field("_row"),
            "_replayed": ds.field("_batch").cast("string"),
        },
        filter=ds.field("_batch").isin(batches) & pc.is_in(ds.field("_seq"), value_set=waiting),
    )
    if back.num_rows:
        same = "CASE WHEN held._row = new._row THEN NULL ELSE held._row END"
        update_rows(folder.quarantine, back, {"_replayed": "new._replayed", "_row": same})
