"""What one column is: its type, how missing is spelled, whether it is of use, its plausible values."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any, Literal

from pipelines.config import ColumnType, Format
from pipelines.data.columns import as_text
from pipelines.data.definition.spellings import beyond_precision, looks_like_time, may_be_number
from pipelines.data.ingestion.conversion import convert_array, flatten
from pipelines.markdown import make_visible
from pipelines.records import Record

if TYPE_CHECKING:
    import pandas as pd

Role = Literal["target", "timestamp", "feature", "unused"]
FEW = 50  # so many different values are a category, even if they hardly repeat
CALENDAR = re.compile(r"(hr|hour|weekday|dow|day_?of_?week|month|mnth|season|quarter)", re.IGNORECASE)
CODE = re.compile(r"(.*[_ -])?(zip|zip_?code|post_?code|postal_?code|code)", re.IGNORECASE)
KEY = re.compile(
    r"(.*[_ -])?(id|uuid|guid|key|index|instant|row_?(no|num|number)?|nr|no|unnamed: 0)", re.IGNORECASE
)
LEADING_ZERO = re.compile(r"0\d+$")
BEYOND = "whole numbers beyond 2^53: as numbers they would lose their last digits"
KEY_REASON = "a key: another value in every row"


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
    key: bool = False  # another value in every row
    values: list[str] = []


def profile_column(values: pd.Series[Any], fmt: Format) -> tuple[ColumnProfile, pd.Series[Any]]:
    """A column by itself: type, and whether it is a key, constant or empty; and its values in that type."""
    name = str(values.name)
    present = values.dropna()
    kind, why, meant = infer_type(name, values, present, fmt)
    found = ColumnProfile(
        name=name,
        type=kind,
        why=why,
        missing=float(values.isna().mean()) if len(values) else 0.0,
        distinct=int(present.nunique()),
    )
    reason = useless(present, meant, found, len(values))
    if reason:
        return found.model_copy(update={"role": "unused", "why": reason, "key": reason == KEY_REASON}), meant
    if kind == "number":
        low, high, beyond = bounds(meant.dropna())
        noun = "value" if beyond == 1 else "values"
        said = f"{beyond} {noun} beyond {high:g} or below {low:g}" if beyond else why
        return found.model_copy(update={"low": low, "high": high, "beyond": beyond, "why": said}), meant
    if kind == "category" and found.distinct <= 20:
        known = sorted(map(str, meant.dropna().unique()), key=natural)
        return found.model_copy(update={"values": known}), meant
    return found, meant


def typed(values: pd.Series[Any], kind: ColumnType, fmt: Format) -> pd.Series[Any]:
    """The values as ingestion will read them."""
    import pyarrow as pa

    try:
        array = pa.Array.from_pandas(values)
    except (pa.ArrowException, TypeError):  # files that do not agree on the type
        array = pa.Array.from_pandas(as_text(values))
    meant = convert_array(flatten(array), kind, fmt).to_pandas()
    return meant.set_axis(values.index)  # type: ignore[no-any-return]


def infer_type(
    name: str, values: pd.Series[Any], present: pd.Series[Any], fmt: Format
) -> tuple[ColumnType, str, pd.Series[Any]]:
    """The type, the reason for it where there is one, and the values in it."""
    import pandas as pd

    if pd.api.types.is_datetime64_any_dtype(present.dtype):
        return "time", "times", typed(values, "time", fmt)
    if len(present) == 0:
        return "text", "", typed(values, "text", fmt)
    if not pd.api.types.is_bool_dtype(present.dtype) and may_be_number(present, fmt):
        numbers = typed(values, "number", fmt)
        read = numbers[present.index]
        kind, why = infer_number(name, present, read, fmt)
        if why == BEYOND or float(read.notna().mean()) >= 0.98:
            return kind, why, numbers if kind == "number" else typed(values, kind, fmt)
    if looks_like_time(present, fmt.day_first):
        return "time", "times", typed(values, "time", fmt)
    distinct = present.nunique()
    if distinct <= FEW or distinct <= 0.05 * len(present):
        return "category", f"{distinct} different values", typed(values, "category", fmt)
    return "text", "", typed(values, "text", fmt)


def infer_number(
    name: str, present: pd.Series[Any], numbers: pd.Series[Any], fmt: Format
) -> tuple[ColumnType, str]:
    """A quantity, or digits that name something: calendar codes, postcodes, codes with leading zeros."""
    if beyond_precision(present[numbers.isna()], fmt):
        return few_or_text(present), BEYOND
    distinct = numbers.nunique()
    whole = bool((numbers.dropna() % 1 == 0).all())
    if whole and distinct <= 31 and CALENDAR.fullmatch(name):
        return "category", "a calendar code: its size means nothing"
    if whole and CODE.fullmatch(name) and 2 < distinct <= 0.05 * len(present):
        return "category", f"a code, {distinct} of them: its size means nothing"
    if present.dtype == object and bool(present.str.match(LEADING_ZERO).eq(True).any()):
        return few_or_text(present), "digits with leading zeros: a code"
    return "number", "0 or 1" if distinct == 2 and set(numbers.dropna().unique()) == {0.0, 1.0} else ""


def few_or_text(present: pd.Series[Any]) -> ColumnType:
    """What digits are that mean no quantity."""
    return "category" if present.nunique() <= 0.05 * len(present) else "text"


def natural(value: str) -> tuple[float, str]:
    """The order in which a person lists values: 2 before 10, words by the alphabet."""
    return (float(value), "") if re.fullmatch(r"-?\d+(\.\d+)?", value) else (math.inf, value)


def useless(present: pd.Series[Any], meant: pd.Series[Any], column: ColumnProfile, rows: int) -> str:
    """Why a column can teach a model nothing; empty where it may."""
    if len(present) == 0:
        return "empty in every row"
    if column.distinct == 1 and rows > 1:
        return f"constant: always {make_visible(str(present.iloc[0])[:40])}"
    if rows >= 20 and column.distinct == rows and is_key(meant, column):
        return KEY_REASON
    if column.type == "text":
        words = column.why or "free text or names"
        return f"{column.distinct:,} different values in {rows:,} rows: {words}"
    return ""


def is_key(values: pd.Series[Any], column: ColumnProfile) -> bool:
    """Whether a column with another value in every row is there to name the rows."""
    if column.type != "number":
        return column.type == "category" or bool(KEY.fullmatch(column.name))
    if not bool((values % 1 == 0).all()):
        return False
    dense = float(values.max() - values.min()) < 2 * len(values) and len(values) >= 200
    return bool(KEY.fullmatch(column.name)) or bool(values.is_monotonic_increasing) or dense


def bounds(numbers: pd.Series[Any]) -> tuple[float, float, int]:
    """Between which values a number is plausible, and how many are not: what is seen and half as much again.

    The width is that of the middle 99 %. What lies four widths beyond is implausible, if rare: 2 in 1000.
    """
    if set(numbers.unique()) <= {0.0, 1.0}:
        return 0.0, 1.0, 0
    low, high = float(numbers.quantile(0.005)), float(numbers.quantile(0.995))
    if not math.isfinite(1e3 * max(high, -low)):  # the largest number there is, for `missing`
        return float(numbers.min()), float(numbers.max()), 0
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
