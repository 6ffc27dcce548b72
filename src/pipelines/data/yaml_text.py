"""Text as YAML reads it back."""

from __future__ import annotations

import re
from functools import lru_cache

import yaml


@lru_cache(maxsize=10_000)
def scalar(text: str) -> str:
    """Text as YAML reads it back, in a key or a flow mapping too: plain where that is safe, else quoted."""
    plain = re.fullmatch(r"[A-Za-z_./][\w./-]*( [\w./-]+)*", text, re.ASCII)
    if plain and isinstance(yaml.safe_load(text), str):
        return text
    return quoted(text)


def quoted(text: str) -> str:
    """Double-quoted YAML; what cannot be printed is escaped."""
    plain = text.replace("\\", "\\\\").replace('"', '\\"')
    return (
        '"' + "".join(c if c.isprintable() and ord(c) < 0xFFFE else f"\\U{ord(c):08x}" for c in plain) + '"'
    )
