"""Text in any encoding as UTF-8, block by block; which encoding it is, is found from its first bytes."""

from __future__ import annotations

import codecs

from pipelines.data.sources.source import Source
from pipelines.data.sources.streams import ByteStream
from pipelines.errors import DataError

BOMS = {
    b"\xff\xfe\0\0": "utf-32",
    b"\0\0\xfe\xff": "utf-32",
    b"\xff\xfe": "utf-16",
    b"\xfe\xff": "utf-16",
    b"\xef\xbb\xbf": "utf-8",
}
UTF8_BOM = b"\xef\xbb\xbf"
MEND = "Set format.encoding to what the file is written in, or write it as UTF-8."
NO_CP1252 = frozenset(b"\x81\x8d\x8f\x90\x9d")


def find_encoding(head: bytes) -> str:
    """The encoding of a text that begins so: by its mark, by where NULs stand, else UTF-8 or cp1252."""
    marked = next((name for bom, name in BOMS.items() if head.startswith(bom)), None)
    if marked:
        return marked
    wide = wide_encoding(head)
    if wide:
        return wide
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError:
        return "latin-1" if NO_CP1252.intersection(head) else "cp1252"
    return "utf-8"


def wide_encoding(head: bytes) -> str | None:
    """UTF-16 or UTF-32 without a mark, told by the NULs that Western text has in fixed places."""
    sample = head[: len(head) // 4 * 4][:4096]
    if len(sample) < 4:
        return None
    empty = [sample[i::4].count(0) / (len(sample) // 4) for i in range(4)]
    if min(empty[1:]) > 0.7 and empty[0] < 0.1:
        return "utf-32-le"
    if min(empty[:3]) > 0.7 and empty[3] < 0.1:
        return "utf-32-be"
    if min(empty[1], empty[3]) > 0.3 and max(empty[0], empty[2]) < 0.1:
        return "utf-16-le"
    if min(empty[0], empty[2]) > 0.3 and max(empty[1], empty[3]) < 0.1:
        return "utf-16-be"
    return None


class TextStream:
    """A stream's text as UTF-8 bytes without a byte order mark.

    Where the encoding was not given and only ASCII was seen so far, the first other bytes decide.
    """

    def __init__(self, stream: ByteStream, encoding: str | None) -> None:
        self.stream = stream
        self.given = encoding is not None
        self.encoding = encoding or find_encoding(stream.head)
        self.plain = True  # only ASCII so far
        self.started = False
        try:
            self.decoder = codecs.getincrementaldecoder(self.encoding)()
        except LookupError as error:
            raise DataError(
                f"{stream.source.name}: unknown encoding {encoding!r}.", "Mend format.encoding."
            ) from error
        self.is_utf8 = codecs.lookup(self.encoding).name in ("utf-8", "utf-8-sig", "ascii")

    def head(self) -> str:
        """The beginning as text, whatever may be wrong with it."""
        return self.stream.head.decode(self.encoding, errors="replace").removeprefix("\ufeff")

    def read(self, size: int) -> tuple[bytes, bool]:
        """The next bytes and whether they are the last. Raises DataError for what is not in the encoding."""
        start = self.stream.position
        raw = self.stream.read(size)
        last = len(raw) < size
        data = self.decode(raw, start, last)
        if not self.started and data:
            data, self.started = data.removeprefix(UTF8_BOM), True
        return data, last

    def decode(self, raw: bytes, start: int, last: bool) -> bytes:
        if self.is_utf8 and raw.isascii() and not self.pending():
            return raw
        pending = self.pending()
        try:
            text = self.decoder.decode(raw, last)
        except UnicodeDecodeError as error:
            return self.other_encoding(raw, start - len(pending), last, error)
        except UnicodeError as error:  # of UTF-16 and UTF-32 without their mark
            name = self.stream.source.name
            raise DataError(f"{name} is not {self.encoding}: it has no byte order mark.", MEND) from error
        self.plain = False
        return raw if self.is_utf8 else text.encode()

    def pending(self) -> bytes:
        return self.decoder.getstate()[0]

    def other_encoding(self, raw: bytes, start: int, last: bool, error: UnicodeDecodeError) -> bytes:
        """ASCII so far, and now something else: take it for cp1252, unless UTF-8 was seen or asked for."""
        if self.given or not self.plain or self.encoding != "utf-8":
            raise not_text(self.stream.source, self.encoding, error, start + error.start)
        self.encoding = "latin-1" if NO_CP1252.intersection(raw) else "cp1252"
        self.decoder, self.is_utf8 = codecs.getincrementaldecoder(self.encoding)(), False
        return self.decode(raw, start, last)


def not_text(source: Source, encoding: str, error: UnicodeDecodeError, offset: int) -> DataError:
    return DataError(
        f"{source.name} is not {encoding}: {error.reason} at byte {offset:,}.",
        MEND,
    )
