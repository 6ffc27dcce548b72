"""Where the last whole record of a block of CSV text ends, quoted line breaks and all."""

from __future__ import annotations

import re
from typing import Any


class RecordCutter:
    """Finds the ends of records in UTF-8 text that begins with a record.

    A quote opens a cell only where the cell begins, as Arrow and Python's csv have it. Where all quotes of a
    block stand as a writer puts them, counting them tells what is inside; else a pattern reads each cell.
    """

    def __init__(self, delimiter: str, quote: str) -> None:
        self.delimiter, self.quote = delimiter.encode(), quote.encode()
        self.records = re.compile(self.pattern()) if quote else None

    def pattern(self) -> bytes:
        d, q = re.escape(self.delimiter), re.escape(self.quote)
        rest = rb"[^%b\r\n]*+" % d
        cell = rb"(?:%b(?:[^%b]++|%b%b)*+%b%b|[^%b%b\r\n]%b|)" % (q, q, q, q, q, rest, q, d, rest)
        return rb"(?:%b(?:%b%b)*+(?:\r\n?|\n))*+" % (cell, d, cell)

    def end_of_records(self, data: bytes, last: bool) -> int:
        """Bytes of `data` that are whole records; in the last block the end of the text ends one too."""
        if not self.quote or self.quote not in data:
            return len(data) if last else last_line_end(data, len(data))
        quotes = self.regular_quotes(data)
        if quotes is not None:
            return self.end_by_count(data, quotes, last)
        return self.end_by_pattern(data, last)

    def end_by_count(self, data: bytes, quotes: Any, last: bool) -> int:
        if last and len(quotes) % 2 == 0:
            return len(data)
        end = last_line_end(data, len(data))
        while (before := int(quotes.searchsorted(end))) % 2:  # inside of quotes: look in front of them
            opened = before - 1
            while opened > 0 and quotes[opened] == quotes[opened - 1] + 1:  # doubled: it opens nothing
                opened -= 2
            end = last_line_end(data, int(quotes[opened]))
        return end or self.end_by_pattern(data, last)

    def end_by_pattern(self, data: bytes, last: bool) -> int:
        assert self.records is not None  # noqa: S101 - called only where there is a quote
        if not last:
            found = self.records.match(data[:-1] if data.endswith(b"\r") else data)
            return found.end() if found else 0
        found = self.records.match(data + b"\n")
        return min(found.end(), len(data)) if found else 0

    def regular_quotes(self, data: bytes) -> Any:
        """The places of the quotes, where each opens a cell, closes one, or is doubled; else None."""
        import numpy as np

        text = np.frombuffer(data, np.uint8)
        quotes = np.flatnonzero(text == self.quote[0])
        edge = np.zeros(256, bool)
        edge[[*self.delimiter, *b"\r\n", *self.quote]] = True
        opening, closing = quotes[0::2], quotes[1::2]
        opens = edge[text[opening - 1]] | (opening == 0)
        closes = edge[text[np.minimum(closing + 1, len(text) - 1)]]
        return quotes if opens.all() and closes.all() else None

    def open_quote(self, data: bytes, start: int) -> int | None:
        """Where, in the unfinished record at `start`, a quote opens that nothing closes."""
        if not self.quote or self.quote not in data[start:]:
            return None
        d, q = re.escape(self.delimiter), re.escape(self.quote)
        whole = rb"%b(?:[^%b]++|%b%b)*+%b[^%b\r\n]*+|[^%b%b\r\n][^%b\r\n]*+|" % (q, q, q, q, q, d, q, d, d)
        found = re.compile(rb"(?:(?:%b)%b)*+" % (whole, d)).match(data, start)
        end = found.end() if found else start
        return end if data[end : end + 1] == self.quote else None


def last_line_end(data: bytes, end: int) -> int:
    """After the last line end before `end`: a line feed, or a bare CR in text without line feeds."""
    found = data.rfind(b"\n", 0, end) + 1
    return found or data.rfind(b"\r", 0, max(end - 1, 0)) + 1
