"""Rows that a check refused: what waits and why, a file to repair them in, and their way back, once.

A row's `_seq` is its own for ever, and a replay keeps it: a waiting row whose `_seq` is among the accepted
rows is back, whatever was killed before that could be noted.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pipelines.config import PipelineConfig
from pipelines.data.ingestion.rebuilding import form_of
from pipelines.data.ingestion.staging import Staging
from pipelines.data.ingestion.unread import with_unread
from pipelines.data.quarantine.repairs import read_repaired, repair_rows, write_export
from pipelines.data.storage.settling import finish_intakes, note_return, settle_replays
from pipelines.data.storage.snapshots import accept_batch, failing_rows, parts_of
from pipelines.data.storage.tables import ask, dataset_of, open_table, update_rows
from pipelines.errors import UsageError
from pipelines.home import Home
from pipelines.ledger import Ledger
from pipelines.records import Batch, Record, Snapshot, ValidationReport

# A reason without the value that was found, so that rows refused for the same are counted together.
REASONS = r"""
WITH pieces AS (
    SELECT _batch AS batch, unnest(string_split(
        regexp_replace(replace(_reason, 'as repaired: ', ''), ': found .*?, expected ', ': expected ', 'gs'),
        '; '
    )) AS reason FROM quarantine WHERE _replayed IS NULL
)
SELECT batch, reason, count(*)::BIGINT AS rows FROM pieces WHERE contains(reason, ': expected ')
GROUP BY ALL ORDER BY rows DESC, batch, reason
"""


class QuarantinedRows(Record):
    """Rows of one batch that wait for one reason; a row with several reasons counts for each of them."""

    batch: str
    rule: str | None
    column: str
    expected: str
    rows: int


class QuarantineSummary(Record):
    """How many rows wait, how many have come back, and why those that wait do so; most rows first."""

    pipeline: str
    waiting: int
    replayed: int
    reasons: list[QuarantinedRows]


# ------------------------------------------------------------------------------------------------ looking


def quarantine_summary(home: Home, pipeline: str) -> QuarantineSummary:
    """What is in quarantine."""
    settle_replays(home, pipeline)
    table = open_table(home.pipeline(pipeline).quarantine)
    if table is None:
        return QuarantineSummary(pipeline=pipeline, waiting=0, replayed=0, reasons=[])
    counted = ask(
        "SELECT count(*) AS all_rows, count(_replayed) AS replayed FROM quarantine", quarantine=table
    )
    held, replayed = (int(value) for value in counted.iloc[0])
    found = ask(REASONS, quarantine=table).to_dict("records")
    rules = known_rules(home, pipeline)
    reasons = [count_reason(line["batch"], line["reason"], line["rows"], rules) for line in found]
    return QuarantineSummary(pipeline=pipeline, waiting=held - replayed, replayed=replayed, reasons=reasons)


def count_reason(batch: str, reason: str, rows: int, rules: list[tuple[str, str, str]]) -> QuarantinedRows:
    """A reason in its parts, with the rule that says so, where it is known."""
    column, _, expected = reason.partition(": expected ")
    rule = next((rule for rule, about, said in rules if about == column and expected in said), None)
    return QuarantinedRows(batch=batch, rule=rule, column=column, expected=expected, rows=int(rows))


def known_rules(home: Home, pipeline: str) -> list[tuple[str, str, str]]:
    """Rule, column and words of every result that a report has, the newest first."""
    reports = [intake.report for intake in reversed(Ledger.open(home).intakes(pipeline)) if intake.report]
    return [(r.rule, r.column or "row", r.message) for report in reports for r in report.results]


def waiting_rows(home: Home, pipeline: str) -> Any | None:
    """The rows that wait, in the order of intake, as an Arrow table; None where there is no quarantine."""
    import pyarrow.dataset as ds

    settle_replays(home, pipeline)
    table = open_table(home.pipeline(pipeline).quarantine)
    if table is None:
        return None
    return dataset_of(table).to_table(filter=ds.field("_replayed").is_null()).sort_by("_seq")


def export_quarantine(config: PipelineConfig, home: Home, output: Path) -> int:
    """Write the rows that wait to a CSV or Parquet file, to be repaired there; how many they are.

    Columns: `_id`, by which a replay finds the row again, `_reason`, and the definition's columns as they
    were written. In CSV a text that a spreadsheet would take for a formula gets an apostrophe in front, which
    a replay takes off again. Raises UsageError for another kind of file.
    """
    check_form(config, home)
    rows = waiting_rows(home, config.pipeline)
    return write_export(rows, config, output)


# ------------------------------------------------------------------------------------------------ replaying


def stage_replay(config: PipelineConfig, home: Home, repaired: Path | None = None) -> Batch:
    """Stage rows that wait in quarantine, to be checked anew: all of them or, with an export that has been
    repaired, those that are in it, with its values.

    A cell of the file that says what the export said leaves the row's value as it was. Raises DataError where
    the file names rows that do not wait, UsageError where the definition no longer reads as it did.
    """
    finish_intakes(home, config.pipeline)
    check_form(config, home)
    rows, ledger = waiting_rows(home, config.pipeline), Ledger.open(home)
    if repaired is not None:
        rows = repair_rows(rows, read_repaired(repaired, config), config, repaired)
    elif rows is not None:
        rows = with_unread(rows, config.data.format)
    # Each replay is a batch of its own, also of the same rows: the rules may be others by now.
    closed = sum(intake.state != "staged" for intake in ledger.intakes(config.pipeline))
    with Staging(config, home, replay=True) as staging:
        if rows is not None and rows.num_rows:
            staging.add(
                rows.select([name for name in (*config.columns, "_seq") if name in rows.column_names])
            )
        batch = staging.finish([], f"replay {closed}", form=form_of(config))
    if batch.rows:
        ledger.open_intake(batch)
    return batch


def check_form(config: PipelineConfig, home: Home) -> None:
    """Raise UsageError where what is held was read by another definition."""
    taken = Ledger.open(home).intakes(config.pipeline, "accepted")
    if taken and taken[-1].batch.form != form_of(config):
        raise UsageError(
            f"The definition of {config.pipeline} reads columns otherwise than when its rows were taken in.",
            f"`evergreen ingest {config.pipeline}` takes all in again in the new form, the waiting rows too.",
        )


def accept_replay(home: Home, batch: Batch, report: ValidationReport) -> Snapshot:
    """Put the replay's good rows into the pipeline's data, and note which are back and why others wait on.

    May be repeated; what a killed process could not note is noted by whoever looks next.
    """
    failing = failing_rows(report)
    if failing.num_rows:
        note_reasons(home, batch, failing)
    snapshot = accept_batch(home, batch, report)
    note_return(home, batch.pipeline, [batch.id])
    return snapshot


def note_reasons(home: Home, batch: Batch, failing: Any) -> None:
    """Give rows that wait on the reason of now; of a repaired row it speaks of the values in the file."""
    import pyarrow as pa
    from pyarrow import parquet

    staged = pa.concat_tables(
        [parquet.read_table(part, columns=["_seq", "_row"]) for part in parts_of(batch)]
    )
    new = failing.join(staged, "_seq", join_type="inner")
    reason = "CASE WHEN held._row = new._row THEN new._reason ELSE 'as repaired: ' || new._reason END"
    update_rows(home.pipeline(batch.pipeline).quarantine, new, {"_reason": reason})
