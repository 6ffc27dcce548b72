"""Where rows come from: an address, the way to show it without its secrets, and a stamp of its content."""

from __future__ import annotations

import os
import re
import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from pipelines.environment import variable
from pipelines.errors import ConfigError, DataError
from pipelines.hiding import without_secrets_of
from pipelines.markdown import make_visible

STILL_WRITTEN = "Run again when it is whole; a writer does well to use another name and rename it at the end."


@dataclass(frozen=True)
class Source:
    """One table of rows. `stamp` changes whenever its content may have; an empty one tells nothing.

    `uri` is for people and the ledger; `address` may hold a password and stays in this process.
    """

    uri: str
    stamp: str
    bytes: int | None
    kind: Literal["file", "remote", "delta", "sql"] = "file"
    address: str = field(default="", repr=False)
    table: str | None = None  # of a database; or
    query: str | None = None
    watermark: str | None = None  # its column that grows

    @property
    def name(self) -> str:
        """`uri` as it may stand in a message: no control characters."""
        return make_visible(self.uri)


def expand(address: str) -> str:
    """The address with each `${NAME}` replaced by that environment variable."""

    def value(match: re.Match[str]) -> str:
        found = variable(match[1])
        if found is None:
            raise ConfigError(
                f"data.source names ${{{match[1]}}}, and there is no such environment variable.",
                f"Set it first: export {match[1]}=...",
            )
        return found

    return re.sub(r"\$\{(\w+)\}", value, address)


def plain_reason(error: BaseException, source: Source) -> str:
    """The first line of what a library says, without the secrets of the source's address."""
    text = str(getattr(error, "strerror", None) or error).strip() or type(error).__name__
    line = (
        text.replace(source.address, source.uri).splitlines()[0] if source.address else text.splitlines()[0]
    )
    return make_visible(without_secrets_of(source.address, line)[:300]).rstrip(".")


def file_stamp(status: os.stat_result) -> str:
    return f"{status.st_size}-{status.st_mtime_ns}-{status.st_ino}"


def local_source(path: Path) -> Source:
    """A file of this machine as it is now. Raises DataError where there is none."""
    try:
        status = path.stat()
    except OSError as error:
        raise absent(path, error) from error
    if not (stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode)):  # a pipe would be waited for
        raise DataError(
            f"{make_visible(path)} is no file, but a pipe or a device.", "Save its rows to a file."
        )
    return Source(str(path), file_stamp(status), status.st_size, "file", str(path))


def absent(path: Path, error: OSError) -> DataError:
    """Why a path names no file, in words."""
    shown = make_visible(path)
    if isinstance(error, FileNotFoundError) and path.is_symlink():
        target = make_visible(os.readlink(path))
        return DataError(
            f"{shown} is a link to {target}, which is not there.", "Mend the link, or name the file."
        )
    if isinstance(error, FileNotFoundError):
        return DataError(f"{shown}: there is no such file.", "Give the path of a file, a folder or a glob.")
    return DataError(f"{shown} cannot be read: {error.strerror}.", "Check that it is yours to read.")
