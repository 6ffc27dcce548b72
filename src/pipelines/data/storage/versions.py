"""The snapshots of a pipeline, by the names that people give them."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from pipelines.data.storage.tables import open_table
from pipelines.errors import UsageError
from pipelines.home import Home
from pipelines.ledger import Ledger
from pipelines.records import Intake, Record


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
    """All versions that the table's log still knows, oldest first; a thousand in about a second."""
    path = home.pipeline(pipeline).rows
    table = open_table(path)
    if table is None:
        return []
    there = {str(file.relative_to(path)) for file in path.rglob("*.parquet")}
    made: dict[int | None, list[Intake]] = defaultdict(list)
    for intake in Ledger.open(home).intakes(pipeline, "accepted"):
        made[intake.version].append(intake)
    written = {entry["version"]: entry["timestamp"] for entry in table.history()}
    return [
        StoredVersion(
            version=version,
            written=datetime.fromtimestamp(written[version] / 1000, UTC),
            rows=rows,
            batches=[i.batch.id for i in made[version]],
            sources=list(dict.fromkeys(s.uri for i in made[version] for s in i.batch.sources)),
            quarantined=sum(i.counts.quarantined for i in made[version] if i.counts),
            complete=complete,
        )
        for version, rows, complete in walk_versions(path, sorted(written), there)
    ]


def walk_versions(path: Path, versions: list[int], there: set[str]) -> Iterator[tuple[int, int, bool]]:
    """Each version, its rows, and whether all its files are `there`: by what each commit adds and removes."""
    files = stored_files(path, versions[0])
    rows, gone = sum(files.values()), files.keys() - there
    yield versions[0], rows, not gone
    for version in versions[1:]:
        added, removed = read_commit(path, version)
        for name in (name for name in removed if name in files):
            rows -= files.pop(name)
            gone -= {name}
        fresh = {name: count for name, count in added.items() if name not in files}
        files |= fresh
        rows += sum(fresh.values())
        gone |= {name for name in fresh if name not in there}
        yield version, rows, not gone


def read_commit(path: Path, version: int) -> tuple[dict[str, int], set[str]]:
    """The files with their rows that a version added, and those that it removed."""
    text = (path / "_delta_log" / f"{version:020}.json").read_text(encoding="utf-8")
    actions = [json.loads(line) for line in text.splitlines() if line.strip()]
    adds = [action["add"] for action in actions if "add" in action]
    added = {unquote(add["path"]): int(json.loads(add["stats"])["numRecords"]) for add in adds}
    return added, {unquote(action["remove"]["path"]) for action in actions if "remove" in action}


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
    table = open_table(home.pipeline(pipeline).rows)
    known: list[int] = sorted(entry["version"] for entry in table.history()) if table else []
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
