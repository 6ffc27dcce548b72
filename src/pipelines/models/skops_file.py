"""Fitted objects as skops files whose bytes depend on nothing but the object: equal models, equal hashes."""

from __future__ import annotations

import io
import re
import zipfile
from pathlib import Path
from typing import Any

from pipelines.environment import module_hidden

# skops numbers objects by their place in memory, and names arrays by it.
IDS = re.compile(r'"__id__": (\d+)|"(\d+)\.np[yz]"')
LONG_AGO = (1980, 1, 1, 0, 0, 0)  # the first moment that a zip file can hold
TORCH = "sklearn.externals.array_api_compat.torch"


def import_skops() -> Any:
    """`skops.io`, without torch, which takes a second and 185 MB of a process that may not need it.

    skops lists scikit-learn's estimators, for which each of scikit-learn's packages is imported; one of them
    imports torch, and is passed over where it cannot be.
    """
    with module_hidden(TORCH):
        import skops.io
    return skops.io


def dump(fitted: Any, path: Path) -> None:
    """Write a fitted object; it is read by skops, like any other of its files."""
    path.write_bytes(settle(import_skops().dumps(fitted)))


def settle(content: bytes) -> bytes:
    """The same file with objects numbered as they come, entries in order, and no date."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        schema = archive.read("schema.json").decode()
        numbers: dict[str, str] = {}
        for match in IDS.finditer(schema):
            numbers.setdefault(match[1] or match[2], str(len(numbers) + 1))

        def renumber(match: re.Match[str]) -> str:
            old = match[1] or match[2]
            return match[0].replace(old, numbers[old])

        entries = {"schema.json": IDS.sub(renumber, schema).encode()}
        for name in archive.namelist():
            if name != "schema.json":
                stem, _, suffix = name.partition(".")
                entries[f"{numbers.get(stem, stem)}.{suffix}"] = archive.read(name)
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name in sorted(entries):
            archive.writestr(zipfile.ZipInfo(name, LONG_AGO), entries[name])
    return out.getvalue()
