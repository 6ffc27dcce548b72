"""Find what a definition's source names: files, folders, globs, addresses, databases."""

from __future__ import annotations

import glob
import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from pipelines.config import Data
from pipelines.data.sources.finding_rules import EXPECTED, TABLE_ENDINGS, hidden_name
from pipelines.data.sources.source import Source, absent, expand, local_source
from pipelines.errors import DataError
from pipelines.hiding import scheme_of
from pipelines.markdown import make_visible


def find_sources(data: Data, folder: Path, extra: list[str] | None = None) -> list[Source]:
    """The sources that a definition names, and those of `extra`, each once and in a stable order.

    Paths are relative to `folder`, those of `extra` to the current folder. Raises DataError when an address
    names nothing, ConfigError when it wants an environment variable that is not set.
    """
    parts = [data.source] if isinstance(data.source, str) else data.source
    found = [source for part in parts for source in sources_of(part, folder, data)]
    found += [source for part in extra or [] for source in sources_of(part, Path.cwd(), data)]
    if not found:
        raise DataError("data.source is empty.", "Name a file, a folder of them, a glob or an address.")
    return told_apart(list({(s.address, s.table, s.query): s for s in found}.values()))


def told_apart(sources: list[Source]) -> list[Source]:
    """The sources; those that are shown alike are read whole each time, for the ledger takes them for one."""
    shown = Counter(source.uri for source in sources)
    return [s if shown[s.uri] == 1 else replace(s, stamp="", watermark=None) for s in sources]


def find_files(source: str | list[str], folder: Path) -> list[Path]:
    """The local files that a source names, each once."""
    found = find_sources(Data(source=source, target=""), folder)
    away = next((item for item in found if item.kind != "file"), None)
    if away:
        raise DataError(f"{away.name} is not a file of this machine.", "Copy it here and name its path.")
    return [Path(item.address) for item in found]


def sources_of(part: str, folder: Path, data: Data) -> list[Source]:
    address = expand(part)
    scheme = scheme_of(address)
    if scheme in ("", "file"):
        return local_sources(Path(os.path.abspath(folder / local_path(address))))  # no .. in what is shown
    if is_database(scheme):
        from pipelines.data.sources.sql import sql_source

        return [sql_source(address, data)]
    from pipelines.data.sources.remote import remote_sources

    return remote_sources(address)


def local_path(address: str) -> Path:
    """The path in a file:// address, or that the address is."""
    return Path(address.partition("://")[2] if scheme_of(address) == "file" else address).expanduser()


def is_database(scheme: str) -> bool:
    """Whether SQLAlchemy has a dialect of this name."""
    from sqlalchemy.dialects import registry
    from sqlalchemy.exc import NoSuchModuleError

    try:
        registry.load(scheme.replace("+", "."))
    except NoSuchModuleError:
        return False
    return True


def local_sources(path: Path) -> list[Source]:
    try:
        if path.is_dir():
            return folder_sources(path)
        if path.exists() or path.is_symlink():
            return [local_source(path)]
    except OSError as error:
        raise absent(path, error) from error
    found = [Path(match) for match in sorted(glob.glob(str(path), recursive=True))]
    tables = [source for match in found if not hidden_name(match.name) for source in glob_sources(match)]
    if not tables:
        raise DataError(
            f"{make_visible(path)}: there is no such file.", "Give the path of a file, a folder or a glob."
        )
    return tables


def glob_sources(match: Path) -> list[Source]:
    if match.is_dir():
        return [delta_source(match)] if is_delta(match) else []
    return [local_source(match)]


def folder_sources(path: Path) -> list[Source]:
    """The tables of a folder by name; a folder with a Delta log is one table, whatever lies in it."""
    if is_delta(path):
        return [delta_source(path)]
    found = list(tables_in(path))
    if not found:
        raise DataError(f"{make_visible(path)} is a folder without tables in it.", EXPECTED)
    return found


def tables_in(path: Path) -> Iterator[Source]:
    for item in sorted(path.iterdir()):
        if hidden_name(item.name):
            continue
        if item.is_dir():
            if is_delta(item):
                yield delta_source(item)
        elif item.name.lower().endswith(TABLE_ENDINGS):
            yield local_source(item)


def is_delta(path: Path) -> bool:
    return (path / "_delta_log").is_dir()


def delta_source(path: Path) -> Source:
    from pipelines.data.sources.delta import delta_table_source

    return delta_table_source(str(path))
