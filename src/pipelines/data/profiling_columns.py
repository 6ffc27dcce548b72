"""What one column is: its type, how missing is spelled, whether it is of use, its plausible values."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any, Literal

from pipelines.config import ColumnType, Format
from pipelines.data.columns import as_number, as_text, as_time
from pipelines.records import Record

if TYPE_CHECKING:
    import pandas as pd

Role = Literal["target", "timestamp", "feature", "unused"]
FEW = 50  # so many different values are a category, even if they hardly repeat
SYMBOLS = ("?", "??", "-", "--", ".", "*")
WORDS = ("unknown", "missing", "not available", "n.a.", "n.a", "undefined")
CALENDAR = re.compile(r"(hr|hour|weekday|dow|day_?of_?week|month|mnth|season|quarter)", re.IGNORECASE)
CODE = re.compile(r"(.*[_ -])?(zip|zip_?code|post_?code|postal_?code|code)", re.IGNORECASE)
KEY = re.compile(
    r"(.*[_ -])?(id|uuid|guid|key|index|instant|row_?(no|num|number)?|nr|no|unnamed: 0)", re.IGNORECASE
)
DATE = re.compile(r"\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}([ T].*)?|\d{9,10}|\w{3,9} \d{1,2},? \d{4}")


class ColumnProfile(Record):
    """One column: what it is, what to use it for, why; `missing` is a share; bounds are for numbers."""

    name: str
    type: ColumnType
    role: Role = "feature"
    why: str = ""
    missing: float = 0.0
    distinct: int = 0
    low: float | None = None
    high: float | None = None
    beyond: int = 0  # values outside these bounds
    values: list[str] = []  # noqa: RUF012 - pydantic copies it. Of a category, where they are few


# ---------------------------------------------------------------------------------------- how it is written


def without_marks(frame: pd.DataFrame, fmt: Format) -> tuple[pd.DataFrame, list[str]]:
    """The table with further spellings of missing made missing, and these spellings.

    `?` and words such as `unknown` are, alone in a cell; dashes and dots only among numbers or dates.
    """
    frame = frame.copy()
    marks = list(fmt.missing)
    for name in frame.columns:
        text = frame[name]
        if text.dtype != object:
            continue
        counts = text.value_counts()
        odd = [value for value in counts.index if str(value).lower() in SYMBOLS + WORDS]
        if odd and not set(odd) <= {"?", "??"}:
            rest = text[text.notna() & ~text.isin(odd)]
            odd = [v for v in odd if v in ("?", "??") or is_regular(rest) or str(v).lower() in WORDS]
        if odd and len(odd) < len(counts):
            frame[name] = text.mask(text.isin(odd), None)
            marks += [mark for mark in odd if mark not in marks]
    return frame, marks


def is_regular(text: pd.Series[Any]) -> bool:
    """Whether all values are numbers, or dates."""
    return len(text) > 0 and (bool(as_number(text).notna().all()) or looks_like_time(text))


def is_day_first(text: pd.Series[Any]) -> bool:
    """Whether dates such as 25/12/2016 are there, which cannot start with the month."""
    if text.dtype != object:
        return False
    parts = (
        text.drop_duplicates()
        .astype(str)
        .str.extract(r"^(\d{1,2})[-/.](\d{1,2})[-/.]\d{2,4}(?:\D|$)")
        .dropna()
        .astype(int)
    )
    return len(parts) > 0 and bool((parts[0] > 12).any()) and not bool((parts[1] > 12).any())


def looks_like_time(text: pd.Series[Any]) -> bool:
    sample = text.dropna().drop_duplicates().head(2000)
    shaped = sample.astype(str).str.fullmatch(DATE)
    if len(sample) == 0 or float(shaped.mean()) < 0.98:
        return False
    times = as_time(sample, is_day_first(text))
    return float(times.notna().mean()) >= 0.98


# ------------------------------------------------------------------------------------- what each column is


def profile_column(values: pd.Series[Any], fmt: Format) -> ColumnProfile:
    """A column by itself: type, and whether it is a key, constant or empty."""
    name = str(values.name)
    present = values.dropna()
    kind, why = infer_type(name, present, fmt)
    found = ColumnProfile(
        name=name,
        type=kind,
        why=why,
        missing=float(values.isna().mean()) if len(values) else 0.0,
        distinct=int(present.nunique()),
    )
    reason = useless(present, found, len(values))
    if reason:
        return found.model_copy(update={"role": "unused", "why": reason})
    if kind == "number":
        low, high, beyond = bounds(as_number(present, fmt.decimal).dropna())
        said = f"{beyond} values beyond {high:g} or below {low:g}" if beyond else why
        return found.model_copy(update={"low": low, "high": high, "beyond": beyond, "why": said})
    known = (
        sorted(map(str, as_text(present).unique()), key=natural)
        if kind == "category" and found.distinct <= 20
        else []
    )
    return found.model_copy(update={"values": known})


def infer_type(name: str, present: pd.Series[Any], fmt: Format) -> tuple[ColumnType, str]:
    import pandas as pd

    if pd.api.types.is_datetime64_any_dtype(present.dtype):
        return "time", "times"
    if len(present) == 0:
        return "text", ""
    numbers = None if pd.api.types.is_bool_dtype(present.dtype) else as_number(present, fmt.decimal)
    if numbers is not None and float(numbers.notna().mean()) >= 0.98:
        return infer_number(name, present, numbers)
    if looks_like_time(present):
        return "time", "times"
    distinct = present.nunique()
    if distinct <= FEW or distinct <= 0.05 * len(present):
        return "category", f"{distinct} different values"
    return "text", ""


def infer_number(name: str, present: pd.Series[Any], numbers: pd.Series[Any]) -> tuple[ColumnType, str]:
    """A quantity, or digits that name something: calendar codes, postcodes, codes with leading zeros."""
    distinct = numbers.nunique()
    whole = bool((numbers.dropna() % 1 == 0).all())
    if whole and distinct <= 31 and CALENDAR.fullmatch(name):
        return "category", "a calendar code: its size means nothing"
    if whole and CODE.fullmatch(name) and 2 < distinct <= 0.05 * len(present):
        return "category", f"a code, {distinct} of them: its size means nothing"
    if present.dtype == object and bool(present.astype(str).str.fullmatch(r"0\d+").any()):
        return (
            "category" if distinct <= 0.05 * len(present) else "text"
        ), "digits with leading zeros: a code"
    return "number", "0 or 1" if distinct == 2 and set(numbers.dropna().unique()) == {0.0, 1.0} else ""


def natural(value: str) -> tuple[float, str]:
    """The order in which a person lists values: 2 before 10, words by the alphabet."""
    return (float(value), "") if re.fullmatch(r"-?\d+(\.\d+)?", value) else (math.inf, value)


def useless(present: pd.Series[Any], column: ColumnProfile, rows: int) -> str:
    """Why a column can teach a model nothing; empty where it may."""
    if len(present) == 0:
        return "empty in every row"
    if column.distinct == 1 and rows > 1:
        return f"constant: always {str(present.iloc[0])[:40]}"
    if column.type == "text":
        return f"{column.distinct:,} different values in {rows:,} rows: free text or names"
    if rows >= 20 and column.distinct == rows and is_key(present, column):
        return "a key: another value in every row"
    return ""


def is_key(present: pd.Series[Any], column: ColumnProfile) -> bool:
    if column.type != "number":
        return column.type == "category"
    numbers = as_number(present)
    if not bool((numbers % 1 == 0).all()):
        return False
    dense = float(numbers.max() - numbers.min()) < 2 * len(numbers) and len(numbers) >= 200
    return bool(KEY.fullmatch(column.name)) or bool(numbers.is_monotonic_increasing) or dense


def bounds(numbers: pd.Series[Any]) -> tuple[float, float, int]:
    """Between which values a number is plausible, and how many are not: what is seen and half as much again.

    The width is that of the middle 99 %. What lies four widths beyond is implausible, if rare: 2 in 1000.
    """
    if set(numbers.unique()) <= {0.0, 1.0}:
        return 0.0, 1.0, 0
    low, high = float(numbers.quantile(0.005)), float(numbers.quantile(0.995))
    width = high - low
    usual = numbers[(numbers >= low - 4 * width) & (numbers <= high + 4 * width)] if width else numbers
    if len(usual) < 0.998 * len(numbers):
        usual = numbers
    slack = 0.5 * (width or abs(high) or 1.0)
    step = 10.0 ** math.floor(math.log10(slack))
    step = max(step, 1.0) if bool((numbers % 1 == 0).all()) else step
    least, most = float(usual.min()), float(usual.max())
    floor = 0.0 if 0 <= least < slack else math.floor((least - slack) / step) * step
    limits = tuple(float(f"{value:.12g}") for value in (floor, math.ceil((most + slack) / step) * step))
    return limits[0], limits[1], int((~numbers.between(limits[0], limits[1])).sum())
