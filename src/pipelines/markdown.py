"""Markdown tables for people, made of data that nobody vouched for."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Sequence

LONGEST_CELL = 300  # characters of a value from data
LONGEST_WORDS = 2_000  # of a sentence of ours or of a person: what it ends with, such as rows needed, counts
# What Markdown obeys: these anywhere, `_` at the edge of a word, `#` at the start, and addresses, which
# become links by themselves.
OBEYED = re.compile(r"[\\|\[\]`*~]|(?<![^\W_])_|_(?![^\W_])|^#|(?<=:)/(?=/)|(?<=www)\.", re.IGNORECASE)


def make_visible(value: object) -> str:
    """`value` as text in which control characters are seen and not obeyed, as `\\x1b[31m` or `\\n`."""
    return "".join(c if c.isprintable() or c == "\u00a0" else ascii(c)[1:-1] for c in str(value))


def markdown_cell(value: object, longest: int = LONGEST_CELL) -> str:
    """`value` as text that stays in its cell: no line breaks, HTML or links, at most `longest` characters."""
    words = make_visible(" ".join(str(value).split())[: longest + 1])
    if len(words) > longest:
        words = words[: longest - 1] + "…"
    return OBEYED.sub(lambda found: "\\" + found[0], html.escape(words, quote=False))


def markdown_table(head: Sequence[str], rows: Iterable[Sequence[object]], longest: int = LONGEST_CELL) -> str:
    """A Markdown table of `rows` under `head`, every cell of `rows` neutralised."""
    lines = [
        list(head),
        ["---"] * len(head),
        *([markdown_cell(cell, longest) for cell in row] for row in rows),
    ]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
