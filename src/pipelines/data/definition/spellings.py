"""How values are written: marks for missing ones, the order of dates, labels that differ in a dot."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from pipelines.config import Format
from pipelines.data.columns import NUMBER, as_number, as_time
from pipelines.markdown import make_visible

if TYPE_CHECKING:
    import pandas as pd

SYMBOLS = ("?", "??", "-", "--", ".", "*")
WORDS = ("unknown", "missing", "not available", "n.a.", "n.a", "undefined")
DATE = re.compile(r"\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}([ T].*)?|\d{9,10}|\w{3,9} \d{1,2},? \d{4}")
SHORT_DATE = r"^(\d{1,2})[-/.](\d{1,2})[-/.]\d{2,4}(?:\D|$)"
MARKS = (-1, -9, -99, -999, -9999, 99, 999, 9999, 99999, 999999)  # numbers that often stand for missing
GLANCE = 60  # values that tell whether a column is worth a closer look


def glance(values: pd.Series[Any]) -> list[str]:
    """Some of a column's values, evenly spread, as text."""
    return [str(value) for value in values.iloc[:: max(1, len(values) // GLANCE)] if value is not None]


# ------------------------------------------------------------------------------------------ missing values


def without_marks(frame: pd.DataFrame, fmt: Format) -> tuple[pd.DataFrame, list[str]]:
    """The table with further spellings of missing made missing, and these spellings.

    `?` and words such as `unknown` are, alone in a cell; dashes and dots only among numbers or dates.
    """
    import pandas as pd

    marks, columns = list(fmt.missing), {}
    for name in frame.columns:
        text = columns[name] = frame[name]
        odd = odd_values(text, fmt) if text.dtype == object else []
        if odd:
            columns[name] = text.mask(text.isin(odd), None)
            marks += [mark for mark in odd if mark not in marks]
    return pd.DataFrame(columns), marks


def odd_values(text: pd.Series[Any], fmt: Format) -> list[str]:
    """The values of a column that stand for a missing one."""
    different = text.dropna().unique()
    odd = [value for value in different if str(value).lower() in SYMBOLS + WORDS]
    if odd and not set(odd) <= {"?", "??"}:
        rest = text[text.notna() & ~text.isin(odd)]
        regular = is_regular(rest, fmt)
        odd = [v for v in odd if v in ("?", "??") or regular or str(v).lower() in WORDS]
    return odd if len(odd) < len(different) else []


def is_regular(text: pd.Series[Any], fmt: Format) -> bool:
    """Whether all values are numbers, or dates."""
    return len(text) > 0 and (
        bool(as_number(text, fmt.decimal, fmt.thousands).notna().all()) or looks_like_time(text, False)
    )


def likely_marks(name: str, numbers: pd.Series[Any]) -> list[str]:
    """What to say of numbers such as 999 or -1 that come back and lie far from all others."""
    present = numbers.dropna()
    counts = present[present.isin(MARKS)].value_counts()
    return [
        f"{name}: {value:g} stands in {count:,} rows, all others lie from {rest.min():g} to {rest.max():g}."
        f' If it marks a missing value, add "{value:g}" to data.format.missing.'
        for value, count in counts.items()
        if count >= max(3, 0.001 * len(present))
        for rest in [present[present != value]]
        if sticks_out(float(value), rest)  # type: ignore[arg-type]
    ]


def sticks_out(value: float, rest: pd.Series[Any]) -> bool:
    """Whether a value is as far from all others as these are from each other; or the one negative."""
    if rest.nunique() < 8:
        return False
    low, high = float(rest.min()), float(rest.max())
    if value < 0:
        return low >= 0
    return value > high + max(high - low, 1)


# --------------------------------------------------------------------------------------------------- dates


def looks_like_time(text: pd.Series[Any], day_first: bool) -> bool:
    if not any(map(DATE.fullmatch, glance(text))):
        return False
    sample = text.dropna().drop_duplicates().head(2000)
    shaped = sample.astype(str).str.fullmatch(DATE)
    if len(sample) == 0 or float(shaped.mean()) < 0.98:
        return False
    return float(as_time(sample, day_first).notna().mean()) >= 0.98


def date_order(frame: pd.DataFrame) -> tuple[bool, list[str]]:
    """Whether dates such as 25/12/2016 are there, which begin with the day; and what is doubtful."""
    day_first, said = False, []
    for name in frame.columns:
        parts = date_parts(frame[name])
        if parts is None:
            continue
        early, late = (bool((parts[i] > 12).any()) for i in (0, 1))
        day_first = day_first or (early and not late)
        if early and late:
            said.append(f"{name}: dates begin with the day in some rows and with the month in others.")
        elif not early and not late and bool((parts[0] != parts[1]).any()):
            said.append(f"{name}: dates such as {glance(frame[name].dropna())[0]} can be read in two ways.")
    read = "the day" if day_first else "the month"
    return day_first, [f"{words} They are read as {read} first: see data.format.day_first." for words in said]


def date_parts(text: pd.Series[Any]) -> pd.DataFrame | None:
    """The first two numbers of dates such as 3/12/2016; None where a column has no such dates."""
    if text.dtype != object or not any(re.match(SHORT_DATE, value) for value in glance(text)):
        return None
    different = text.dropna().drop_duplicates().astype(str)
    parts = different.str.extract(SHORT_DATE).dropna().astype(int)
    return parts if len(parts) >= 0.9 * len(different) else None


# ------------------------------------------------------------------------------------------------ numbers


def may_be_number(text: pd.Series[Any], fmt: Format) -> bool:
    """Whether any of some values looks like a number; a column of numbers has hardly another value."""
    if text.dtype != object:
        return True
    digits = str.maketrans("", "", f"{fmt.thousands or ''}")
    shaped = re.compile(NUMBER)
    return any(
        shaped.fullmatch(value.strip().translate(digits).replace(fmt.decimal, "."))
        for value in glance(text.dropna())
    )


def beyond_precision(unread: pd.Series[Any], fmt: Format) -> bool:
    """Whether cells that are not read as numbers are digits: whole numbers that a 64-bit float is not."""
    digits = unread.astype(str)
    digits = digits.str.replace(fmt.thousands, "", regex=False) if fmt.thousands else digits
    return bool(digits.str.fullmatch(rf"\s*[+-]?\d{{16,}}({re.escape(fmt.decimal)}0*)?\s*").any())


# ------------------------------------------------------------------------------------------------- labels


def alike_labels(name: str, values: pd.Series[Any]) -> list[str]:
    """What to say of labels that differ in case, blanks or a full stop alone."""
    spelled: dict[str, list[str]] = {}
    for value in values.dropna().unique():
        key = "".join(str(value).casefold().split()).rstrip(".")
        spelled.setdefault(key, []).append(str(value))
    return [
        f"{name}: {' and '.join(repr(make_visible(v[:60])) for v in sorted(group))} look alike and count as"
        " different values. Make them one in the data."
        for group in spelled.values()
        if len(group) > 1
    ]
