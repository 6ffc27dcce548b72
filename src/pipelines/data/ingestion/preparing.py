"""A table's rows as they are stored: typed, with fingerprint, number and key, and what is wrong with them."""

from __future__ import annotations

from typing import Any

from pipelines.config import PipelineConfig
from pipelines.data.ingestion.conversion import convert_table, problem_schema
from pipelines.data.ingestion.fingerprints import add_texts, fingerprint

Staged = tuple[Any, Any, Any]  # rows with _row and _seq, problems by _seq, keys or None


def prepare(table: Any, config: PipelineConfig, start: int | None) -> Staged:
    """The rows numbered from `start`, or as they are by their `_seq`."""
    import numpy as np
    import pyarrow as pa

    rows, problems = convert_table(table, config)
    seqs = table["_seq"].to_numpy() if start is None else np.arange(start, start + table.num_rows)
    prints = prints_of(rows, problems)
    keys = key_prints(rows, seqs, config)
    problems = problems.set_column(0, "_seq", pa.array(seqs[problems["row"].to_numpy()], pa.int64()))
    rows = rows.append_column("_row", pa.array(prints)).append_column("_seq", pa.array(seqs))
    absent = rows.filter(pa.array(keyless(rows, config))) if config.data.key else rows.slice(0, 0)
    return rows, pa.concat_tables([problems, absent_keys(absent, config)]), keys


def prints_of(rows: Any, problems: Any) -> Any:
    """The rows' fingerprints; the texts of cells that could not be read count too."""
    prints = fingerprint(rows)
    add_texts(prints, problems)
    return prints


def key_prints(rows: Any, seqs: Any, config: PipelineConfig) -> Any:
    """A fingerprint of each row's key, None where the definition has none; a row without a key is alone."""
    import numpy as np

    if not config.data.key:
        return None
    return np.where(keyless(rows, config), ~seqs, fingerprint(rows.select(config.data.key)))


def keyless(rows: Any, config: PipelineConfig) -> Any:
    """Which rows miss a part of their key."""
    import functools

    import pyarrow.compute as pc

    missing = functools.reduce(pc.or_, (pc.is_null(rows[name]) for name in config.data.key))
    return missing.to_numpy()


def key_problems(rows: Any, config: PipelineConfig) -> Any:
    """A problem for each of these rows: another row has their key, with other values."""
    keys = config.data.key
    cells = rows.select(keys).to_pylist() if keys else []
    found = [", ".join(f"{name} {row[name]}" for name in keys) for row in cells]
    return row_problems(rows, "key_is_new", config, found, "a key that no other row has")


def absent_keys(rows: Any, config: PipelineConfig) -> Any:
    """A problem for each of these rows: they miss a part of their key."""
    return row_problems(rows, "key_is_present", config, ["nothing"] * rows.num_rows, "a key")


def row_problems(rows: Any, rule: str, config: PipelineConfig, found: list[str], expected: str) -> Any:
    import pyarrow as pa

    count = len(found)
    words = [rule, ", ".join(config.data.key)]
    columns = [*(pa.repeat(word, count) for word in words), pa.array(found, pa.string())]
    schema = problem_schema().set(0, pa.field("_seq", pa.int64()))
    return pa.table([rows["_seq"].slice(0, count), *columns, pa.repeat(expected, count)], schema=schema)
