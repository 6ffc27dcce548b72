"""Addresses that fsspec knows: web servers, S3 and other stores."""

from __future__ import annotations

import shutil
import tempfile
from typing import IO, Any

from pipelines.data.sources.finding_rules import EXPECTED, TABLE_ENDINGS, hidden_name
from pipelines.data.sources.source import Source, plain_reason
from pipelines.errors import ConfigError, DataError, EvergreenError
from pipelines.hiding import hide_secrets, scheme_of

PATIENCE = {"connect": 10, "read": 60}  # seconds without an answer after which a store is given up
STAMPS = ("ETag", "etag", "Content-MD5", "Last-Modified", "LastModified", "last_modified", "mtime", "updated")
WHY = {
    "PermissionError": "access is denied",
    "NoCredentialsError": "no credentials were found; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
    "TimeoutError": "no answer in time",
    "ServerTimeoutError": "no answer in time",
    "SocketTimeoutError": "no answer in time",
    "ConnectionTimeoutError": "no answer in time",
    "ConnectTimeoutError": "no answer in time",
    "ReadTimeoutError": "no answer in time",
}


def remote_sources(address: str) -> list[Source]:
    """The tables at an address: one, those that a glob names, or those of a folder, by name.

    Raises DataError for what is not there or does not answer, ConfigError for a scheme that nothing reads.
    """
    place = Source(hide_secrets(address), "", None, "remote", address)
    try:
        system, path = connect(place)
        if scheme_of(address) in ("http", "https"):
            return [remote_source(address)]
        if any(mark in path for mark in "*?["):
            found = [item for item in sorted(system.glob(path)) if not hidden_name(item)]
            if not found:
                raise absent_there(place)
            return [remote_source(address_of(system, item)) for item in found]
        if not system.isfile(path) and system.isdir(path):
            return folder_sources(place, system, path)
        return [remote_source(address)]
    except EvergreenError:
        raise
    except Exception as error:  # each store has errors of its own
        raise unreachable(place, error) from error


def folder_sources(place: Source, system: Any, path: str) -> list[Source]:
    items = sorted(system.ls(path, detail=False))
    if any(item.rstrip("/").endswith("/_delta_log") for item in items):
        from pipelines.data.sources.delta import delta_table_source

        return [delta_table_source(place.address)]
    found = [item for item in items if item.lower().endswith(TABLE_ENDINGS) and not hidden_name(item)]
    if not found:
        raise DataError(f"{place.name} is a folder without tables in it.", EXPECTED)
    return [remote_source(address_of(system, item)) for item in found]


def address_of(system: Any, path: str) -> str:
    return str(system.unstrip_protocol(path))


def remote_source(address: str) -> Source:
    """A file of a store as it is now: its stamp is what the store says of its content."""
    place = Source(hide_secrets(address), "", None, "remote", address)
    try:
        system, path = connect(place)
        about = about_file(system, path)
    except EvergreenError:
        raise
    except Exception as error:  # each store has errors of its own
        raise unreachable(place, error) from error
    size = about.get("size")
    marks = [str(about[key]).strip('"') for key in STAMPS if about.get(key)]
    stamp = "-".join([str(size), *marks]) if marks else ""
    return Source(place.uri, stamp, int(size) if size is not None else None, "remote", address)


def about_file(system: Any, path: str) -> dict[str, Any]:
    """What a store says of a file, asked anew."""
    system.invalidate_cache()
    about = dict(system.info(path))
    if about.get("type") == "directory":
        raise IsADirectoryError("it is a folder")
    return about


def connect(place: Source) -> tuple[Any, str]:
    """The file system of an address, and the path in it."""
    import fsspec

    scheme = scheme_of(place.address)
    try:
        return fsspec.url_to_fs(place.address, **options(scheme))  # type: ignore[no-any-return]
    except (ImportError, ValueError) as error:
        reason = plain_reason(error, place)
        raise ConfigError(
            f"{place.name}: {scheme}:// cannot be read here: {reason}.",
            "Install what it wants, or copy the file to this machine and name its path.",
        ) from error


def options(scheme: str) -> dict[str, Any]:
    if scheme in ("http", "https"):
        import aiohttp

        timeout = aiohttp.ClientTimeout(None, sock_connect=PATIENCE["connect"], sock_read=PATIENCE["read"])
        return {"client_kwargs": {"timeout": timeout, "trust_env": True}}
    if scheme in ("s3", "s3a"):
        waits = {"connect_timeout": PATIENCE["connect"], "read_timeout": PATIENCE["read"]}
        return {"config_kwargs": {**waits, "retries": {"max_attempts": 2}}}
    return {}


def open_remote(source: Source, seekable: bool) -> IO[bytes]:
    """The file's bytes in one stream, or where they must be read out of order, a file that can."""
    try:
        system, path = connect(source)
        web = scheme_of(source.address) in ("http", "https")
        if web and not seekable:
            return system.open(path, "rb", block_size=0)  # type: ignore[no-any-return]
        file = system.open(path, "rb")
        return file if not web or file.seekable() else spooled(file)
    except EvergreenError:
        raise
    except Exception as error:  # each store has errors of its own
        raise unreachable(source, error) from error


def spooled(file: IO[bytes]) -> IO[bytes]:
    """A copy on this machine's disk, for servers that cannot give a part of a file."""
    copy = tempfile.TemporaryFile()  # noqa: SIM115 - the reader closes it
    with file:
        shutil.copyfileobj(file, copy, 1 << 20)
    copy.seek(0)
    return copy


def unreachable(source: Source, error: Exception) -> DataError:
    """Why a store gives nothing, in words; of a web server fsspec says "no file" whatever failed."""
    cause = error.__cause__ if isinstance(error, FileNotFoundError) else error
    status = getattr(cause, "status", None)
    if cause is None or isinstance(cause, FileNotFoundError) or status in (404, 410) or is_absent(cause):
        return absent_there(source)
    reason = WHY.get(type(cause).__name__) or (
        f"the server answers {status}" if status else plain_reason(cause, source)
    )
    return DataError(
        f"{source.name} cannot be read: {reason}.",
        "Check the address, the network and the credentials, and try again.",
    )


def is_absent(cause: BaseException) -> bool:
    """Whether botocore's error says so."""
    answer = getattr(cause, "response", None)
    code = str(answer.get("Error", {}).get("Code")) if isinstance(answer, dict) else ""
    return code in ("404", "NoSuchKey", "NoSuchBucket", "NotFound")


def absent_there(source: Source) -> DataError:
    return DataError(
        f"{source.name}: there is no such file.", "Check the address: bucket, path and spelling."
    )
