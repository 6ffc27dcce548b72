"""The snapshots of a pipeline, by the names that people give them."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pipelines.data.storage.tables import open_table
from pipelines.errors import UsageError
from pipelines.home import Home
from pipelines.ledger import Ledger
from pipelines.records import Record


class StoredVersion(Record):
    """A version of a pipeline's data; `quarantined` are rows of its batches that it does not have.

    The first of `batches` made it, later ones brought nothing new. `complete`: all its files are there.
    """

    version: int
    written: datetime
    rows: int
    batches: list[str]
    sources: list[str]
    quarantined: int
    complete: bool


def list_versions(home: Home, pipeline: str) -> list[StoredVersion]:
    """All versions that the table's log still knows, oldest first; about 5 ms each."""
    path = home.pipeline(pipeline).rows
    table = open_table(path)
    if table is None:
        return []
    there = {str(file.relative_to(path)) for file in path.rglob("*.parquet")}
    intakes = [i for i in Ledger.open(home).intakes(pipeline, "accepted") if i.version is not None]
    found = []
    for entry in sorted(table.history(), key=lambda entry: entry["version"]):
        files = stored_files(path, entry["version"])
        mine = [i for i in intakes if i.version == entry["version"]]
        found.append(
            StoredVersion(
                version=entry["version"],
                written=datetime.fromtimestamp(entry["timestamp"] / 1000, UTC),
                rows=sum(files.values()),
                batches=[i.batch.id for i in mine],
                sources=list(dict.fromkeys(s.uri for i in mine for s in i.batch.sources)),
                quarantined=sum(i.counts.quarantined for i in mine if i.counts),
                complete=files.keys() <= there,
            )
        )
    return found


def stored_files(path: Path, version: int) -> dict[str, int]:
    """The files of a version, relative to the table, with their rows."""
    import pyarrow as pa

    table: Any = open_table(path, version)
    files = pa.table(table.get_add_actions(flatten=True))
    return dict(zip(files["path"].to_pylist(), files["num_records"].to_pylist(), strict=True))


def find_version(home: Home, pipeline: str, name: str | None = None) -> int:
    """The version that `3` or `rides@3` means, the newest where nothing is said.

    Raises UsageError, which lists the versions, where there is none of this name.
    """
    known = [found.version for found in list_versions(home, pipeline)]
    if not known:
        raise UsageError(f"{pipeline} has no data yet.", f"`evergreen train {pipeline}` takes some in.")
    if name is None:
        return known[-1]
    match = re.fullmatch(r"(?:(.+)@)?(\d{1,18})", name)
    if match and match[1] in (None, pipeline) and int(match[2]) in known:
        return int(match[2])
    raise UsageError(
        f"{pipeline} has no version {name} (versions: {shorten(known)}).",
        f"`evergreen data {pipeline} list` tells more of them.",
    )


def shorten(versions: list[int]) -> str:
    """`0, 1, 2`; of many, the first and the newest."""
    words = [str(version) for version in versions]
    return ", ".join(words if len(words) <= 12 else [*words[:3], "...", *words[-8:]])
