"""Cells as text: what could not be read as it was found, the rest as the definition would write it."""

from __future__ import annotations

import json
from typing import Any

from pipelines.config import Format


def with_unread(rows: Any, fmt: Format) -> Any:
    """Quarantined rows with the text of each unread cell in its place; a column that has one becomes text."""
    import pyarrow as pa
    import pyarrow.compute as pc

    for name, texts in unread_texts(rows).items():
        cells = pc.coalesce(texts, write_cells(rows[name], fmt))
        rows = rows.set_column(rows.column_names.index(name), pa.field(name, pa.string()), cells)
    return rows


def unread_texts(rows: Any) -> dict[str, Any]:
    """For each column with unread cells their texts, null where the cell could be read."""
    import pyarrow as pa

    cells = [json.loads(text) if text else {} for text in rows["_unread"].to_pylist()]
    names = sorted({name for row in cells for name in row} & set(rows.column_names))
    return {name: pa.array([row.get(name) for row in cells], pa.string()) for name in names}


def write_cells(column: Any, fmt: Format) -> Any:
    """A column as strings that are read back as the same values; null stays null."""
    import pyarrow as pa
    import pyarrow.compute as pc

    texts = column.cast(pa.string())
    if pa.types.is_timestamp(column.type):
        return pc.replace_substring_regex(texts, r"\.0+$", "")
    if pa.types.is_floating(column.type) and fmt.decimal != ".":
        return pc.replace_substring(texts, ".", fmt.decimal)
    return texts
