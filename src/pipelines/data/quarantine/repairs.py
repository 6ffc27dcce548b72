"""The file in which people repair rows: harmless in a spreadsheet, and read back cell by cell."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

from pipelines.config import Format, PipelineConfig
from pipelines.data.columns import HIDDEN
from pipelines.data.ingestion.schema import match_columns
from pipelines.data.ingestion.unread import unread_texts, with_unread, write_cells
from pipelines.data.sources import open_source
from pipelines.data.sources.reading import missing_marks, tidy_text
from pipelines.data.sources.source import local_source
from pipelines.errors import DataError, UsageError

MOST_NAMED = 10
FORMULA = r"=+\-@\t\r"  # what a spreadsheet takes for the beginning of one
NUMBER = r"[+\-]?[0-9]+([.,][0-9]+)*([eE][+\-]?[0-9]+)?"


# ------------------------------------------------------------------------------------------------ writing


def write_export(rows: Any | None, config: PipelineConfig, output: Path) -> int:
    """Write waiting rows as `_id`, `_reason` and the definition's columns; CSV or Parquet, by the name."""
    import pyarrow as pa
    from pyarrow import parquet

    ending = output.suffix.lower()
    if ending not in {".csv", ".parquet"}:
        raise UsageError(
            f"{output}: expected a name that ends in .csv or .parquet.", "Give another --output."
        )
    if rows is None:
        rows = empty_rows(config)
    names = [name for name in config.columns if name in rows.column_names]
    named = with_unread(rows, config.data.format).select(["_seq", "_reason", *names])
    table = named.rename_columns(["_id", "_reason", *names])
    draft = output.with_name(f".{output.name}.draft")
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        if ending == ".csv":
            write_csv(as_texts(table, config.data.format), draft, config.data.format)
        else:
            parquet.write_table(table, draft)
        draft.replace(output)
    except (OSError, pa.ArrowException) as error:
        raise UsageError(f"{output} cannot be written: {error}.", "Give another --output.") from error
    return int(table.num_rows)


def empty_rows(config: PipelineConfig) -> Any:
    """No row, in the columns of quarantine."""
    import pyarrow as pa

    from pipelines.data.ingestion.conversion import stored_schema

    hidden = [
        pa.field("_seq", pa.int64()),
        pa.field("_reason", pa.string()),
        pa.field("_unread", pa.string()),
    ]
    return pa.schema([*stored_schema(config), *hidden]).empty_table()


def as_texts(table: Any, fmt: Format) -> Any:
    """Every column as the text that stands in the CSV."""
    import pyarrow as pa

    columns = [write_cells(column, fmt) for column in table.columns]
    return pa.table([guard_formulas(column) for column in columns], names=table.column_names)


def write_csv(table: Any, path: Path, fmt: Format) -> None:
    """UTF-8 with the mark by which spreadsheets know it; `;` between cells where decimals have a comma."""
    from pyarrow import csv

    options = csv.WriteOptions(delimiter=";" if fmt.decimal == "," else ",")
    with path.open("wb") as file:
        file.write(b"\xef\xbb\xbf")
        csv.write_csv(table, file, options)


def guard_formulas(texts: Any) -> Any:
    """Text that begins like a formula, or with apostrophes and then so, gets an apostrophe more in front."""
    import pyarrow.compute as pc

    risky = pc.match_substring_regex(texts, f"^'*[{FORMULA}]")
    guarded = pc.and_not(risky, pc.match_substring_regex(texts, f"^{NUMBER}$"))
    return pc.if_else(guarded, pc.binary_join_element_wise("'", texts, ""), texts)


def unguard_formulas(texts: Any) -> Any:
    """The text without the apostrophe that `guard_formulas` puts in front."""
    import pyarrow.compute as pc

    return pc.replace_substring_regex(texts, f"^'('*[{FORMULA}])", r"\1")


# ------------------------------------------------------------------------------------------------ reading


def read_repaired(path: Path, config: PipelineConfig) -> Any:
    """A repaired export as texts: `_seq` and the definition's columns; null where a missing mark stands.

    Its delimiter and encoding are found out, since spreadsheets choose their own. Raises DataError.
    """
    import pyarrow as pa

    fmt = Format(missing=config.data.format.missing)
    with open_source(local_source(path), fmt) as reading:
        table = pa.concat_tables(list(reading.tables()), promote_options="permissive")
        guarded = reading.types is None  # a text file
    if "_id" not in table.column_names:
        found = ", ".join(table.column_names[:MOST_NAMED])
        raise DataError(
            f"{path} has no column '_id'. Columns found: {found}.",
            f"Repair a file that `evergreen quarantine {config.pipeline} export` wrote, and keep its `_id`.",
        )
    names = [name for name in table.column_names if name not in {*HIDDEN, "_id"}]
    matched, _ = match_columns(names, config, str(path))
    columns = {name: write_cells(table[theirs], config.data.format) for name, theirs in matched.items()}
    if guarded:
        columns = {name: unguard_formulas(texts) for name, texts in columns.items()}
    marks = missing_marks(fmt)
    tidy = {name: tidy_text(texts, marks) for name, texts in columns.items()}
    return pa.table({"_seq": read_ids(table["_id"], path), **tidy})


def read_ids(column: Any, path: Path) -> Any:
    """The numbers of the rows, each once."""
    import pyarrow as pa

    texts = column.cast(pa.string()).to_pylist()
    wrong = [text for text in texts if text is None or not text.isascii() or not text.isdigit()]
    if wrong:
        raise DataError(
            f"{path}: what stands under `_id` is not always the number of a row: {name_some(wrong)}.",
            "Rows cannot be added here: give new ones to data.source, and keep the export's `_id`.",
        )
    twice = [text for text, times in Counter(texts).items() if times > 1]
    if twice:
        raise DataError(f"{path} has row {name_some(twice)} more than once.", "Keep one line for each row.")
    return pa.array([int(text) for text in texts], pa.int64())


def repair_rows(rows: Any | None, repaired: Any, config: PipelineConfig, path: Path) -> Any:
    """The waiting rows that the file has, with its values where they differ from what was exported.

    Raises DataError that names rows which do not wait; rows that are not in the file wait on.
    """
    import pyarrow.compute as pc

    waiting = empty_rows(config) if rows is None else rows
    place = pc.index_in(repaired["_seq"], value_set=waiting["_seq"].combine_chunks())
    if place.null_count:
        lost = repaired["_seq"].filter(pc.is_null(place)).to_pylist()
        raise DataError(
            f"{path} has rows that do not wait in quarantine: {name_some(lost)}. They came back already, or"
            " were never there; nothing was replayed.",
            "Take these lines out, or export again.",
        )
    chosen = waiting.take(place)
    unread = unread_texts(chosen)
    for name in repaired.column_names[1:]:
        chosen = repair_column(chosen, name, repaired[name], unread.get(name), config)
    return chosen


def repair_column(rows: Any, name: str, texts: Any, unread: Any | None, config: PipelineConfig) -> Any:
    """A column with the file's texts where the export had others; an untouched column keeps its type."""
    import pyarrow as pa
    import pyarrow.compute as pc

    fmt = config.data.format
    if name not in rows.column_names:
        return rows.append_column(name, texts)
    stored = write_cells(rows[name], fmt)
    stored = stored if unread is None else pc.coalesce(unread, stored)
    exported = tidy_text(stored, missing_marks(Format(missing=fmt.missing)))
    same = pc.or_(
        pc.fill_null(pc.equal(exported, texts), False), pc.and_(pc.is_null(exported), pc.is_null(texts))
    )
    if unread is None and pc.all(same).as_py():
        return rows
    cells = pc.if_else(same, stored, texts)
    return rows.set_column(rows.column_names.index(name), pa.field(name, pa.string()), cells)


def name_some(values: list[Any]) -> str:
    more = f" and {len(values) - MOST_NAMED} more" if len(values) > MOST_NAMED else ""
    return ", ".join(str(value)[:40] for value in values[:MOST_NAMED]) + more
