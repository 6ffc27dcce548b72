"""Values and rules as a person would write them, neutral wherever they are shown."""

from __future__ import annotations

import re
from typing import Any

from pipelines.config import Check
from pipelines.markdown import make_visible

LONGEST_WORDS = 160
SKIPPED = {"column", "column_A", "column_B", "column_list", "meta"}


def columns_of(arguments: dict[str, Any]) -> list[str]:
    """The columns that a check is about; none for a rule about the table."""
    given = arguments.get("column_list") or [arguments.get(key) for key in ("column", "column_A", "column_B")]
    return [str(column) for column in given if column is not None]


def describe_rule(check: Check) -> str:
    """A check in words: `column values to be between (min_value=0)`."""
    if "unexpected_rows_query" in check.arguments:
        return shorten(f"no row of {one_line(check.arguments['unexpected_rows_query'])}")
    given = ", ".join(f"{key}={value}" for key, value in check.arguments.items() if key not in SKIPPED)
    name = check.expectation.removeprefix("expect_").replace("_", " ")
    return shorten(make_visible(f"{name} ({given})" if given else name))


def spell_value(value: Any) -> str:
    """A value as a person would write it: no numpy, missing as `nothing`."""
    if isinstance(value, (tuple, list, set)):
        return shorten("(" + ", ".join(spell_value(item) for item in value) + ")")
    if isinstance(value, dict):
        return shorten(", ".join(f"{key}={spell_value(item)}" for key, item in value.items()))
    plain = value.item() if getattr(value, "ndim", None) == 0 and hasattr(value, "item") else value
    if plain is None or str(plain) in {"nan", "NaT", "<NA>"}:
        return "nothing"
    return shorten(repr(plain) if isinstance(plain, str) else make_visible(plain))


def one_line(error: object) -> str:
    """What an error says, without the class that SQLAlchemy puts before it."""
    return make_visible(re.sub(r"^\(\w+(\.\w+)+\) ", "", " ".join(str(error).split())))


def shorten(words: str) -> str:
    return words if len(words) <= LONGEST_WORDS else words[: LONGEST_WORDS - 1] + "…"
