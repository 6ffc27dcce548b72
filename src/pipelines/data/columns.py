"""What a value means under the type that the definition gives its column; what does not fit is missing."""

from __future__ import annotations

import math
import re
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Literal

from pipelines.config import ColumnType, PipelineConfig

if TYPE_CHECKING:
    import pandas as pd

NUMBER = r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?"
ZONED = r"(?i).*\d[t ]\d.*(z|[+-]\d\d(:?\d\d)?)"
FAR = r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d+)?)?)?"
MONTH = r"(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*\.?"
NTH = r"\d{1,2}(st|nd|rd|th)?"
FULL_DATE = "(?i)" + "|".join(  # what else is there the clock would fill in: '12:30' would be that of today
    (
        r"(?<![\d:])\d{4}([-/.])\d{1,2}\1\d{1,2}(?!\d)",
        r"(?<![\d:])\d{1,2}([-/.])\d{1,2}\2(\d{4}|\d\d)(?!\d)",
        r"(?<![\d:])(\d{4} \d{1,2} \d{1,2}|\d{1,2} \d{1,2} \d{4}|\d{8})(?!\d)",
        rf"(?<![\d:]){NTH}[-/. ]*{MONTH}[-/., ]*(\d{{4}}(?!\d)|\d\d(?![\d:]))",
        rf"{MONTH}[-/. ]*{NTH}[-/., ](.*\D)?\d{{4}}(?!\d)",
        rf"(?<![\d:])\d{{4}}[-/., ]*{MONTH}[-/. ]*{NTH}(?![\d:])",
        rf"^\s*({MONTH}[-/., ]*\d{{4}}|\d{{1,2}}[-/.]\d{{4}}|\d{{4}}([-/.]\d{{1,2}})?|\d{{4}}-?Q[1-4])\s*$",
    )
)
DAY_AND_MONTH = r"^\s*(\d{1,2})[/.-](\d{1,2})[/.-]\d"
# Evergreen's own columns beside the user's.
HIDDEN = ("_row", "_seq", "_batch", "_reason", "_quarantined_at", "_unread", "_replayed")
EXACT = 2**53  # from here on a 64-bit float may stand for several whole numbers
WHOLE = r"[+-]?\d+(\.0*)?"
EPOCHS: tuple[tuple[float, Literal["s", "ms", "us", "ns"]], ...] = (
    (1e17, "ns"),
    (1e14, "us"),
    (1e11, "ms"),
    (1e8, "s"),
)  # plausible instants are so large in these units


def type_of(name: str, config: PipelineConfig) -> ColumnType:
    """The column's type; the target is what the task needs: a number to regress on, else a category."""
    if name == config.data.target:
        return "number" if config.task == "regression" else "category"
    return "time" if name == config.data.timestamp else config.columns[name].type


def convert(values: pd.Series[Any], kind: ColumnType, fmt: Any) -> pd.Series[Any]:
    """One column in the stable dtype of its kind."""
    if kind == "number":
        return as_number(values, fmt.decimal, fmt.thousands)
    if kind == "time":
        return as_time(values, fmt.day_first)
    text = as_text(values)
    if kind == "category":  # 3067.0 is how a code is written once a neighbour is missing
        whole = text.str.fullmatch(r"[+-]?\d+\.0+", na=False).astype(bool)
        text = text.mask(whole, text.str.replace(r"\.0+$", "", regex=True))
    return none_for_missing(text)


def as_number(values: pd.Series[Any], decimal: str = ".", thousands: str | None = None) -> pd.Series[Any]:
    """float64, NaN where missing, not a number, infinite, or a whole number that would be rounded."""
    import numpy as np
    import pandas as pd

    if pd.api.types.is_numeric_dtype(values.dtype):
        text, numbers = values, values.astype("float64")
    else:
        text = plain_digits(as_text(values).str.strip(), decimal, thousands)
        shaped = text.str.fullmatch(NUMBER, na=False).astype(bool)
        # Not pd.to_numeric: its last digit can differ from that of Arrow, and so would the fingerprint.
        numbers = text.where(shaped, "nan").astype("float64")
    if not pd.api.types.is_float_dtype(text.dtype):
        numbers = numbers.mask(rounded(text, numbers))
    return numbers.where(np.isfinite(numbers)) + 0.0  # + 0.0: one zero, not two with different hashes


def beyond_exact(numbers: Any) -> bool:
    """Whether a number is there that may not be what was written: whole ones are rounded beyond 2^53."""
    import pyarrow.compute as pc

    ends = pc.min_max(numbers).as_py()
    return any(end is not None and abs(end) >= EXACT for end in ends.values())


def rounded(written: pd.Series[Any], numbers: pd.Series[Any]) -> pd.Series[Any]:
    """Which whole numbers are written that a 64-bit float is not: two ids would become one."""
    large = (numbers.abs() >= EXACT).to_numpy()
    lost = large.copy()
    if large.any():
        texts = written[large].astype(str).str.strip()
        lost[large] = [
            re.fullmatch(WHOLE, text) is not None
            and math.isfinite(number)
            and Decimal(text) != Decimal(number)
            for text, number in zip(texts, numbers[large], strict=True)
        ]
    return numbers.isna() | lost


def plain_digits(text: pd.Series[Any], decimal: str, thousands: str | None) -> pd.Series[Any]:
    """Numbers as a programme writes them: 1.234.567,8 as 1234567.8; None where the marks stand wrongly."""
    if thousands:
        mark, point = re.escape(thousands), re.escape(decimal)
        grouped = text.str.fullmatch(rf"[+-]?\d{{1,3}}({mark}\d{{3}})+({point}\d*)?", na=False).astype(bool)
        text = text.mask(grouped, text.str.replace(thousands, "", regex=False))
    if decimal != ".":
        text = text.mask(text.str.contains(".", regex=False, na=False).astype(bool), None)
        text = text.str.replace(decimal, ".", regex=False)
    return text


def as_time(values: pd.Series[Any], day_first: bool) -> pd.Series[Any]:
    """datetime64[us], naive; zoned times in UTC; large numbers read as seconds (ms, us, ns) since 1970."""
    import pandas as pd

    if pd.api.types.is_datetime64_any_dtype(values.dtype):
        zoned = getattr(values.dtype, "tz", None) is not None
        naive = values.dt.tz_convert("UTC").dt.tz_localize(None) if zoned else values
        return naive.astype("datetime64[us]")
    text = as_text(values)
    # Dates repeat: each spelling is parsed once.
    spellings = pd.Series(text.dropna().unique(), dtype=object)
    parsed = parse_times(spellings, day_first)
    return text.map(dict(zip(spellings, parsed, strict=True))).astype("datetime64[us]")


def parse_times(spellings: pd.Series[Any], day_first: bool) -> pd.Series[Any]:
    """Naive UTC instants, NaT where there is none. ISO first, for `day_first` never touches it."""
    import numpy as np
    import pandas as pd

    number = spellings.str.fullmatch(r"\d{9,19}(\.\d+)?").astype(bool)
    dated = spellings.map(lambda text: re.search(FULL_DATE, text) is not None).astype(bool)
    numeric = pd.to_numeric(spellings.where(number), errors="coerce")
    parsed = pd.Series(pd.NaT, spellings.index, dtype="datetime64[ns, UTC]")
    zoned = spellings.str.fullmatch(ZONED).astype(bool)
    for these in (
        zoned & dated,
        ~zoned & dated & ~number,
    ):  # apart: pandas reads those without a zone in that of another
        parsed[these] = pd.to_datetime(spellings[these], format="ISO8601", utc=True, errors="coerce")
    rest = spellings[parsed.isna() & dated & ~number]
    months = rest.str.extract(DAY_AND_MONTH)[1 if day_first else 0].astype(float)
    rest = rest[~(months > 12)]  # pandas would take such a one the other way round than its neighbours
    if len(rest):
        parsed[rest.index] = pd.to_datetime(
            rest, format="mixed", dayfirst=day_first, utc=True, errors="coerce"
        )
    for least, unit in reversed(EPOCHS):
        reached = numeric >= least
        parsed[reached] = pd.to_datetime(numeric[reached], unit=unit, utc=True, errors="coerce")
    naive: pd.Series[Any] = parsed.dt.tz_localize(None).astype("datetime64[us]")
    far = naive.isna() & spellings.str.fullmatch(FAR).astype(bool)
    naive[far] = np.array([far_time(text) for text in spellings[far]], dtype="datetime64[us]")
    return naive


def far_time(text: str) -> datetime | None:
    """A time before 1678 or after 2262, which nanoseconds do not reach: 9999-12-31 stands for `never`."""
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None


def as_text(values: pd.Series[Any]) -> pd.Series[Any]:
    """Object dtype: str, or None where missing; whole numbers without a fraction."""
    import pandas as pd

    if pd.api.types.is_float_dtype(values.dtype):
        return none_for_missing(
            values.map(lambda v: str(int(v)) if float(v).is_integer() else str(v)), values
        )
    if isinstance(values.dtype, pd.CategoricalDtype):
        return as_text(values.astype(values.cat.categories.dtype))
    if pd.api.types.is_datetime64_any_dtype(values.dtype):
        return none_for_missing(values.map(lambda v: v.isoformat() if v is not pd.NaT else v), values)
    text = values.astype(object)
    if pd.api.types.infer_dtype(text, skipna=True) not in {"string", "empty"}:
        text = text.where(text.isna(), text.map(str)).str.strip()
    return none_for_missing(text, values)


def none_for_missing(text: pd.Series[Any], origin: pd.Series[Any] | None = None) -> pd.Series[Any]:
    missing = (text if origin is None else origin).isna()
    result = text.astype(object)
    result[missing] = None
    return result
