"""Propose the first pipeline.yaml of a table: every choice visible, with its reason, for a person to edit."""

from __future__ import annotations

import os
import re
from pathlib import Path
from urllib.parse import urlsplit

from pipelines.config import Data, load_config
from pipelines.data.definition.profiling import Profile, profile_table
from pipelines.data.definition.text import render
from pipelines.data.sources import (
    Source,
    discover_format,
    find_sources,
    local_path,
    open_source,
    sample_rows,
)
from pipelines.errors import DataError
from pipelines.hiding import is_web, scheme_of, user_of
from pipelines.records import Record, Task

PROFILED = 200_000  # rows at most
PROFILED_CELLS = 20_000_000
SECRET = "EVERGREEN_SOURCE_PASSWORD"  # noqa: S105 - its name
SIGNED = re.compile(
    r"(?i)([?&](?:[^=&]*(?:sig|token|key|secret|pass|pwd|credential)[^=&]*|code|auth|odbc_connect)=)([^&]*)"
)


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


def init_definition(
    data: str,
    target: str,
    timestamp: str | None,
    out: Path,
    table: str | None = None,
    query: str | None = None,
) -> InitResult:
    """Profile the data (paths relative to the current folder) and write a commented definition to `out`.

    Of a large table an even sample is profiled; `table` or `query` say what to read of a database. Raises
    DataError for data that cannot be read or learned from, UsageError for a column that is not there.
    """
    given = {"source": data} | ({"table": table} if table else {}) | ({"query": query} if query else {})
    sources = find_sources(Data(target=target, **given), Path.cwd())
    fmt = discover_format(sources[0], target)
    with open_source(sources[0], fmt) as reading:
        most = max(1, min(PROFILED, PROFILED_CELLS // len(reading.names)))
    sample = sample_rows(sources, fmt, most)
    profile = profile_table(sample.frame, target, timestamp, fmt, sample.rows)
    address, said = without_secrets(data)
    local = scheme_of(data) in ("", "file")
    written = relative_source(Path.cwd() / local_path(data), out) if local else address
    name = slug(name_of(sources, data, table))
    return write_definition(profile, given | {"source": written}, out, name, said)


def name_of(sources: list[Source], data: str, table: str | None) -> Path:
    """What the pipeline is named after: the table, the file, the folder, or the end of an address."""
    if table:
        return Path(table.rpartition(".")[2])
    if scheme_of(data) in ("", "file"):
        return Path(sources[0].address) if len(sources) == 1 else local_path(data)
    return Path(urlsplit(data).path.rstrip("/") or "data")


def slug(path: Path) -> str:
    """A pipeline's name from a file's."""
    stem = path.name if not path.suffix else path.name.split(".")[0]
    if "*" in stem or not stem:
        stem = path.absolute().parent.name
    name = re.sub(r"[^a-z0-9]+", "-", stem.lower()).strip("-")
    return ((name if name[:1].isalpha() else f"p-{name}".rstrip("-"))[:63].rstrip("-")) or "p"


def without_secrets(address: str) -> tuple[str, list[str]]:
    """The address with environment variables in place of its password and keys, and what to set them to."""
    if scheme_of(address) in ("", "file"):
        return address, []
    names: list[str] = []

    def variable(value: str) -> str:
        if re.fullmatch(r"\$\{\w+\}", value):
            return value
        names.append(SECRET if not names else f"{SECRET}_{len(names) + 1}")
        return f"${{{names[-1]}}}"

    user, colon, password = user_of(address.partition("://")[2]).partition(":")
    secret = password or (user if is_web(address) else "")  # https://TOKEN@host
    if secret:
        address = address.replace(f"{colon}{secret}@", f"{colon}{variable(secret)}@", 1)
    address = SIGNED.sub(lambda match: match[1] + variable(match[2]), address)
    said = [
        f"{name} stands in the definition for a secret of the address: export {name}=... first."
        for name in names
    ]
    return address, said


# ------------------------------------------------------------------------------------------------ writing


def write_definition(
    profile: Profile, data: dict[str, str], out: Path, name: str, said: list[str]
) -> InitResult:
    """Write the definition and check that it loads; a file that was there is kept as `<out>.before`."""
    text = render(profile, data, out.name, name)
    warnings = [*profile.warnings, *said]
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
