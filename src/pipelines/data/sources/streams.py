"""Bytes of a source, in order, unpacked and counted, in bounded memory."""

from __future__ import annotations

import re
from typing import IO, Any

from pipelines.data.sources.source import Source, absent, plain_reason
from pipelines.errors import DataError

HEAD = 1 << 18  # bytes that are looked at before anything is read
EXPANSION_ALLOWED = 256 << 20  # bytes that any compressed file may grow to
PACKERS = {rb"\x1f\x8b": "gzip", rb"\x28\xb5\x2f\xfd": "zstd", rb"BZh[1-9](1AY&SY|\x17rE8P\x90)": "bz2"}


def open_file(source: Source, seekable: bool = False) -> IO[bytes]:
    """The source's bytes as they are stored. Raises DataError for what cannot be opened.

    A local file to seek in is Arrow's own: its threads may hold it when the interpreter is ending.
    """
    if source.kind == "remote":
        from pipelines.data.sources.remote import open_remote

        return open_remote(source, seekable)
    from pathlib import Path

    try:
        if seekable:
            import pyarrow as pa

            return pa.OSFile(source.address)  # type: ignore[no-any-return]
        return open(source.address, "rb", buffering=0)
    except IsADirectoryError as error:
        raise DataError(f"{source.name} is a folder.", "Expected a file.") from error
    except OSError as error:
        raise absent(Path(source.address), error) from error


class ByteStream:
    """What a file says once it is unpacked. `head` is its beginning, which `read` gives again.

    Raises DataError for an archive that is cut short, corrupt, or that grows beyond what is allowed.
    """

    def __init__(self, source: Source, most_expansion: int) -> None:
        self.source = source
        self.position = 0  # of the unpacked bytes handed out
        self.stored = source.bytes
        self.most_expansion = most_expansion
        self.file = open_file(source)
        self.reader: Any = self.file
        self.compression = ""
        self.head = b""
        try:
            packed = self._fill(HEAD)
            self.compression = next((name for magic, name in PACKERS.items() if re.match(magic, packed)), "")
            if self.compression:
                self._unpack(packed)
                packed = self._fill(HEAD)
            self.head = self._rest = packed
        except BaseException:
            self.close()
            raise

    def _unpack(self, packed: bytes) -> None:
        import pyarrow as pa

        replayed = Replayed(packed, self.file)
        self.reader = pa.CompressedInputStream(pa.PythonFile(replayed, "r"), self.compression)
        self._counted = replayed

    def read(self, size: int) -> bytes:
        """The next `size` bytes; fewer only at the end."""
        start, self._rest = self._rest[:size], self._rest[size:]
        data = start + self._fill(size - len(start)) if len(start) < size else start
        self.position += len(data)
        if self.compression:
            self._check_expansion()
        return data

    def _fill(self, size: int) -> bytes:
        pieces, missing = [], size
        try:
            while missing > 0 and (piece := self.reader.read(missing)):
                pieces.append(piece)
                missing -= len(piece)
        except DataError:
            raise
        except Exception as error:  # each store, and each packer, has errors of its own
            raise self._failure(error) from error
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def _failure(self, error: Exception) -> DataError:
        reason = plain_reason(error, self.source)
        if self.compression:
            return DataError(
                f"{self.source.name} cannot be unpacked: its {self.compression} data is cut short or corrupt"
                f" after {self.position:,} bytes ({reason}).",
                "Copy the file again, or pack it again.",
            )
        return DataError(
            f"{self.source.name} cannot be read: {reason}.", "Check that the file is whole and yours to read."
        )

    def _check_expansion(self) -> None:
        stored = self.stored or self._counted.taken
        if self.position > max(EXPANSION_ALLOWED, self.most_expansion * stored):
            raise DataError(
                f"{self.source.name} grows from {stored:,} to over {self.position:,} bytes when unpacked:"
                f" more than {self.most_expansion} times.",
                "If it is to be so, unpack it yourself or raise format.most_expansion.",
            )

    def close(self) -> None:
        self.file.close()


class Replayed:
    """A file whose first bytes were read already, for readers that want them too."""

    def __init__(self, head: bytes, file: IO[bytes]) -> None:
        self.head, self.file = head, file
        self.taken = 0
        self.closed = False

    def read(self, size: int = -1) -> bytes:
        if self.head:
            size = len(self.head) if size < 0 else size
            data, self.head = self.head[:size], self.head[size:]
        else:
            data = self.file.read(size)
        self.taken += len(data)
        return data

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return False

    def close(self) -> None:
        self.closed = True
