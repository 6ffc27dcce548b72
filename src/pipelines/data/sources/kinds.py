"""What a file is by its first bytes, whatever its name; what would run code, or is no table, is refused."""

from __future__ import annotations

import json
import re
from typing import Literal

from pipelines.data.sources.source import Source
from pipelines.errors import DataError

Kind = Literal["text", "json", "parquet", "arrow"]

CODE = "pickled data is not loaded, since it can run code"
CODE_ENDINGS = (".pkl", ".pickle", ".joblib", ".npy", ".npz", ".pt", ".pth")
COLUMNAR: dict[bytes, Kind] = {b"PAR1": "parquet", b"ARROW1": "arrow", b"\xff\xff\xff\xff": "arrow"}
REFUSED = (
    (rb"\x80[\x02-\x05]", CODE),
    (rb"\x93NUMPY", "NumPy's format can hold pickled data, which can run code"),
    (rb"PK(\x03\x04|\x05\x06)", "it is a zip archive, as Excel's .xlsx is"),
    (rb"\xd0\xcf\x11\xe0", "it is an old Excel or Office file"),
    (rb"\x78[\x01\x5e\x9c\xda].{2}", "it is zlib data, as joblib writes for pickles"),
    (rb"\xfd7zXZ\x00", "it is xz data, which is not read here"),
    (rb"\x04\x22\x4d\x18", "it is lz4 data, which is not read here"),
    (rb"7z\xbc\xaf", "it is a 7z archive"),
    (rb"\x89HDF", "it is an HDF5 file"),
    (rb"Obj\x01", "it is an Avro file"),
    (rb"ORC", "it is an ORC file"),
    (rb"FEA1", "it is Feather of the first version"),
    (rb"SQLite format 3\x00", "it is an SQLite database"),
    (rb"%PDF-", "it is a PDF"),
    (rb'\s*\[\s*\{\s*"|\s*\{\s*[\r\n]\s*"', "it is one JSON document, not JSON Lines"),
    (rb"\s*(?i:<!doctype html|<html|<\?xml)", "it is a web page or XML, not a table"),
)
HINTS = {
    "it is an SQLite database": "Give it as sqlite:///path/to/file with data.table.",
    "it is one JSON document, not JSON Lines": "Write an object on each line, as `jq -c '.[]'` does.",
    "it is a web page or XML, not a table": "Check the address: a page to log in, perhaps?",
}


def find_kind(source: Source, head: bytes, packed: bool) -> Kind:
    """How the file is to be read. Raises DataError for what is empty, is no table, or would be executed."""
    ending = source.address.lower().partition("?")[0]
    if ending.endswith(CODE_ENDINGS):
        raise refused(source, CODE)
    if not head:
        what = "0 bytes when unpacked" if packed else "0 bytes"
        raise DataError(
            f"{source.name} is empty: {what}.", "Expected a line of column names and rows below it."
        )
    for magic, why in REFUSED:
        if re.match(magic, head, re.DOTALL) and not looks_like_text(head, why):
            raise refused(source, why)
    found = next((kind for magic, kind in COLUMNAR.items() if head.startswith(magic)), None)
    if found:
        if packed:
            raise DataError(
                f"{source.name} is a packed {found} file.", "Unpack it: such files are packed inside."
            )
        return found
    if ending.endswith((".parquet", ".pq")):
        raise DataError(
            f"{source.name} is not a whole Parquet file: it does not begin with PAR1.",
            "Write it again as Parquet, or name it for what it is.",
        )
    return "json" if begins_with_object(head) else "text"


def looks_like_text(head: bytes, why: str) -> bool:
    """Whether a magic number of letters (`ORC,x`, `x^..`) may as well begin a table of text."""
    return (
        ("ORC" in why or "zlib" in why or "Avro" in why) and b"\0" not in head[:512] and head[:512].isascii()
    )


def refused(source: Source, why: str) -> DataError:
    return DataError(f"{source.name}: {why}.", HINTS.get(why, "Save it as CSV or Parquet."))


def begins_with_object(head: bytes) -> bool:
    """Whether the first line is a JSON object, or the head of a very long one."""
    line = head.removeprefix(b"\xef\xbb\xbf").lstrip().partition(b"\n")[0]
    if not line.startswith(b"{"):
        return False
    try:
        return isinstance(json.loads(line), dict)
    except ValueError:
        return re.match(rb'\{\s*"(?:[^"\\]|\\.)*"\s*:', line) is not None
