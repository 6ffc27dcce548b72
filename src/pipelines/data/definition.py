"""Propose the first pipeline.yaml of a table: every choice visible, with its reason, for a person to edit."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.config import Format, load_config
from pipelines.data.definition_text import render
from pipelines.data.profiling import Profile, profile_table
from pipelines.data.sources import discover_format, find_files, local_path, read_table
from pipelines.data.sources.source import local_source
from pipelines.errors import DataError
from pipelines.records import Record, Task

if TYPE_CHECKING:
    import pandas as pd

FILES_READ = 50  # of a folder of many files, the last so many are profiled


class ColumnChoice(Record):
    name: str
    type: str
    role: str
    why: str


class InitResult(Record):
    """What `init` answers; `pipeline` is the path of the definition written."""

    pipeline: str
    task: Task
    target: str
    columns: list[ColumnChoice]
    warnings: list[str]


def init_definition(data: str, target: str, timestamp: str | None, out: Path) -> InitResult:
    """Profile the data (relative to the current folder) and write a commented definition to `out`.

    Raises DataError for data that cannot be read or learned from, UsageError for a column that is not there.
    """
    files = find_files(data, Path.cwd())[-FILES_READ:]
    fmt = discover_format(local_source(files[0]), target)
    profile = profile_table(read_all(files, fmt), target, timestamp, fmt)
    return write_definition(
        profile, Path.cwd() / local_path(data), out, slug(files[0] if len(files) == 1 else local_path(data))
    )


def read_all(files: list[Path], fmt: Format) -> pd.DataFrame:
    import pandas as pd

    frames = [read_table(file, fmt) for file in files]
    return frames[0] if len(frames) == 1 else pd.concat(frames, ignore_index=True)


def slug(path: Path) -> str:
    """A pipeline's name from a file's."""
    stem = path.name if not path.suffix else path.name.split(".")[0]
    if "*" in stem or not stem:
        stem = path.absolute().parent.name
    name = re.sub(r"[^a-z0-9]+", "-", stem.lower()).strip("-")
    return (name if name[:1].isalpha() else f"p-{name}".rstrip("-"))[:63].rstrip("-")


# ------------------------------------------------------------------------------------------------ writing


def write_definition(profile: Profile, data_path: Path, out: Path, name: str) -> InitResult:
    """Write the definition and check that it loads; a file that was there is kept as `<out>.before`."""
    text = render(profile, relative_source(data_path, out), out.name, name)
    warnings = list(profile.warnings)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        if out.exists() and out.read_text(encoding="utf-8", errors="replace") != text:
            kept = out.with_name(f"{out.name}.before")
            out.replace(kept)
            warnings.append(f"{out} was there before; it is kept as {kept.name}.")
        out.write_text(text, encoding="utf-8")
    except OSError as error:
        raise DataError(f"{out} cannot be written: {error.strerror}.", "Give another --out.") from error
    load_config(out)
    choices = [ColumnChoice(name=c.name, type=c.type, role=c.role, why=c.why) for c in profile.columns]
    return InitResult(
        pipeline=str(out), task=profile.task, target=profile.target, columns=choices, warnings=warnings
    )


def relative_source(data: Path, out: Path) -> str:
    """The data as seen from the definition's folder; absolute where that is far away."""
    relative = os.path.relpath(data, out.absolute().parent)
    return str(data.absolute()) if relative.count("..") > 2 else relative
