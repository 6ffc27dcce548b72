"""Which names in a folder are tables."""

from __future__ import annotations

TEXT_ENDINGS = (".csv", ".tsv", ".txt", ".data", ".jsonl", ".ndjson")
COLUMN_ENDINGS = (".parquet", ".pq", ".arrow", ".feather", ".ipc", ".arrows")
PACKED_ENDINGS = tuple(f"{ending}{packed}" for ending in TEXT_ENDINGS for packed in (".gz", ".zst", ".bz2"))
TABLE_ENDINGS = TEXT_ENDINGS + PACKED_ENDINGS + COLUMN_ENDINGS
EXPECTED = "Expected *.csv, *.tsv, *.jsonl (also .gz, .zst, .bz2), *.parquet or *.arrow there."


def hidden_name(path: str) -> bool:
    """Whether the last part of a path is hidden, or a writer's own (_SUCCESS, _delta_log)."""
    return path.rstrip("/").rpartition("/")[2].startswith((".", "_"))
