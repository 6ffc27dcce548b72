"""Look at a table as a careful colleague would: what each column is, what to predict, what gives the answer away.

Statistics are taken of the whole table; what looks like a matter of taste is said in the column's `why`.
"""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Literal

from pipelines.config import ColumnType, Format
from pipelines.data.columns import as_number, as_text, as_time
from pipelines.data.leaks import find_leaks
from pipelines.errors import DataError, UsageError
from pipelines.records import Record, Task

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
    values: list[str] = []


class Profile(Record):
    """What a definition is proposed from; `span` is the time between the first row and the last."""

    rows: int
    task: Task
    target: str
    timestamp: str | None
    format: Format
    columns: list[ColumnProfile]
    warnings: list[str]
    span: timedelta | None = None
    majority: float = 0.0  # share of the most frequent class


def profile_table(frame: pd.DataFrame, target: str, timestamp: str | None, fmt: Format) -> Profile:
    """What is in the table and how to use it. Raises UsageError for an unknown column, DataError for a target that
    cannot be learned."""
    check_asked(frame, target, timestamp)
    frame, marks = without_marks(frame, fmt)
    day_first = any(is_day_first(frame[name]) for name in frame.columns)
    fmt = fmt.model_copy(update={"missing": marks, "day_first": day_first})
    columns = {name: profile_column(frame[name], fmt) for name in map(str, frame.columns)}
    warnings = size_warnings(frame, target)
    task, majority, said = infer_task(frame[target], columns[target])
    warnings += said
    timestamp, said = choose_timestamp(columns, timestamp, frame, fmt, target)
    warnings += said
    values = {name: typed(frame[name], spec.type, fmt) for name, spec in columns.items()}
    columns[target] = columns[target].model_copy(
        update={"role": "target", "type": "number" if task == "regression" else "category"}
    )
    if timestamp is not None:
        columns[timestamp] = columns[timestamp].model_copy(
            update={"role": "timestamp", "type": "time", "why": "when the row happened"}
        )
    columns = leave_out(columns, values, typed(frame[target], columns[target].type, fmt), timestamp)
    warnings += [f"{c.name} is left out: {c.why}." for c in columns.values() if "leak" in c.why]
    span = None if timestamp is None else (values[timestamp].max() - values[timestamp].min()).to_pytimedelta()
    return Profile(
        rows=len(frame), task=task, target=target, timestamp=timestamp, format=fmt, columns=list(columns.values()),
        warnings=warnings, span=span, majority=majority,
    )  # fmt: skip


def check_asked(frame: pd.DataFrame, target: str, timestamp: str | None) -> None:
    found = ", ".join(map(str, frame.columns))
    for option, name in (("--target", target), ("--timestamp", timestamp)):
        if name is not None and name not in frame.columns:
            raise UsageError(
                f"{option} {name}: the data has no such column. Columns found: {found}.", "Name one of them."
            )
    if target == timestamp:
        raise UsageError(f"--target and --timestamp are both {target}.", "Name two columns.")
    if len(frame.columns) < 2:
        raise DataError(
            f"The data has one column, {found}: there is nothing to predict it from.", "Check the delimiter."
        )


def size_warnings(frame: pd.DataFrame, target: str) -> list[str]:
    missing = int(frame[target].isna().sum())
    said = [f"Only {len(frame)} rows: too few to learn or to judge from."] if len(frame) < 50 else []
    if missing:
        said.append(f"{missing:,} rows have no {target}; they go to quarantine.")
    return said


# ------------------------------------------------------------------------------------------------ how it is written


def without_marks(frame: pd.DataFrame, fmt: Format) -> tuple[pd.DataFrame, list[str]]:
    """The table with further spellings of missing made missing, and these spellings.

    A symbol or a word such as `unknown` is one where it stands alone in a cell; a dash only among numbers or dates.
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


# ------------------------------------------------------------------------------------------------ what each column is


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
        low, high = bounds(as_number(present, fmt.decimal).dropna())
        return found.model_copy(update={"low": low, "high": high})
    known = sorted(as_text(present).unique()) if kind == "category" and found.distinct <= 20 else []
    return found.model_copy(update={"values": [str(value) for value in known]})


def infer_type(name: str, present: pd.Series[Any], fmt: Format) -> tuple[ColumnType, str]:
    import pandas as pd

    if pd.api.types.is_datetime64_any_dtype(present.dtype):
        return "time", "times"
    if len(present) == 0:
        return "text", ""
    numbers = None if pd.api.types.is_bool_dtype(present.dtype) else as_number(present, fmt.decimal)
    if numbers is not None and float(numbers.notna().mean()) >= 0.98:
        return infer_number(name, present, numbers)
    if pd.api.types.is_numeric_dtype(present.dtype):
        return "category", "yes or no"
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


def bounds(numbers: pd.Series[Any]) -> tuple[float, float]:
    """Between which values a number is plausible: what is seen and half as much again; a few far outliers are outside.

    The width is that of the middle 99 %. Values more than four widths beyond it are outliers if they are 2 in 1000 or fewer.
    """
    low, high = float(numbers.quantile(0.005)), float(numbers.quantile(0.995))
    width = high - low
    usual = numbers[(numbers >= low - 4 * width) & (numbers <= high + 4 * width)] if width else numbers
    if len(usual) < 0.998 * len(numbers):
        usual = numbers
    slack = 0.5 * (width or abs(high) or 1.0)
    least, most = float(usual.min()), float(usual.max())
    floor = 0.0 if least >= 0 and least < slack else rounded(least - slack, down=True)
    return floor, rounded(most + slack, down=False)


def rounded(value: float, down: bool) -> float:
    """Two significant digits, away from the data."""
    import math

    if value == 0 or not math.isfinite(value):
        return 0.0
    step = 10.0 ** (math.floor(math.log10(abs(value))) - 1)
    return float(f"{(math.floor if down else math.ceil)(value / step) * step:.12g}")


# ------------------------------------------------------------------------------------------------ what to do with it


def infer_task(values: pd.Series[Any], column: ColumnProfile) -> tuple[Task, float, list[str]]:
    """The task, the share of the most frequent class, and what should be said about it."""
    present = values.dropna()
    if column.distinct < 2:
        raise DataError(
            f"The target {column.name!r} has {'one value' if column.distinct else 'no value'}: there is nothing to predict.",
            "Name another --target, or more data.",
        )
    shares = present.value_counts(normalize=True)
    majority = float(shares.iloc[0])
    if column.distinct == 2:
        return "binary", majority, rare(shares, len(present))
    numbers = as_number(present) if column.type in {"number", "category"} else None
    if numbers is not None and bool(numbers.notna().all()):
        if not are_classes(numbers):
            return "regression", 0.0, []
        said = [
            f"{column.name} is taken as {column.distinct} classes; for an amount set task: regression, metric: rmse."
        ]
        return "multiclass", majority, said + rare(shares, len(present))
    if (
        column.type == "time"
        or column.distinct > max(100, 0.05 * len(present))
        or column.distinct > 0.5 * len(present)
    ):
        raise DataError(
            f"The target {column.name!r} has {column.distinct:,} different values in {len(present):,} rows, and they are no numbers.",
            "Name a number or a class as --target.",
        )
    return "multiclass", majority, rare(shares, len(present))


def are_classes(numbers: pd.Series[Any]) -> bool:
    """Whole numbers 0..k or 1..k, each in 1 % of the rows at least: classes. Counts have a thinning tail."""
    counts = numbers.value_counts(normalize=True).sort_index()
    whole = bool((numbers % 1 == 0).all()) and len(counts) <= 20
    return (
        whole
        and counts.index[0] in (0, 1)
        and counts.index[-1] - counts.index[0] == len(counts) - 1
        and bool(counts.min() >= 0.01)
    )


def rare(shares: pd.Series[Any], rows: int) -> list[str]:
    few = [f"{label} ({round(share * rows)} rows)" for label, share in shares.items() if share * rows < 10]
    return [f"Classes with fewer than ten rows: {', '.join(few)}."] if few and rows >= 50 else []


def choose_timestamp(
    columns: dict[str, ColumnProfile], asked: str | None, frame: pd.DataFrame, fmt: Format, target: str
) -> tuple[str | None, list[str]]:
    """The column asked for, else the one that holds dates in every row; None where there is none."""
    if asked is not None:
        lost = int((as_time(frame[asked], fmt.day_first).isna() & frame[asked].notna()).sum())
        if lost > 0.5 * len(frame):
            raise UsageError(
                f"--timestamp {asked}: {lost:,} of {len(frame):,} values are no dates.",
                "Name another column.",
            )
        return asked, [f"{asked}: {lost:,} values are no dates; these rows go to quarantine."] if lost else []
    dated = [
        c.name
        for c in columns.values()
        if c.type == "time" and c.role == "feature" and c.missing < 0.05 and c.name != target
    ]
    if not dated:
        return None, []
    return dated[0], [
        f"{dated[0]} holds dates and is proposed as the timestamp: rows are split and watched by it."
    ]


def typed(values: pd.Series[Any], kind: ColumnType, fmt: Format) -> pd.Series[Any]:
    if kind == "number":
        return as_number(values, fmt.decimal)
    return as_time(values, fmt.day_first) if kind == "time" else as_text(values)


def leave_out(
    columns: dict[str, ColumnProfile],
    values: dict[str, pd.Series[Any]],
    target: pd.Series[Any],
    timestamp: str | None,
) -> dict[str, ColumnProfile]:
    """Columns that give the answer away, or that are the time itself, as unused ones with the reason."""
    columns = dict(columns)
    candidates = {
        c.name: values[c.name]
        for c in columns.values()
        if c.role == "feature" and c.type in {"number", "category"}
    }
    reasons = find_leaks(candidates, target)
    if timestamp is not None:
        for name in candidates:
            if (
                name not in reasons
                and columns[name].type == "number"
                and only_grows(values[name], values[timestamp])
            ):
                why = f"only grows with {timestamp}: new rows have values never seen in training"
                if columns[name].distinct > FEW:
                    reasons[name] = why
                else:  # a year carries the trend for as long as it lasts: without it, hourly bikes lose a third
                    columns[name] = columns[name].model_copy(update={"why": why})
    for column in columns.values():
        if column.role == "feature" and column.type == "time":
            reasons[column.name] = "a second time column: make a number of it to use it"
    return {
        name: column.model_copy(update={"role": "unused", "why": reasons[name]})
        if name in reasons
        else column
        for name, column in columns.items()
    }


def only_grows(numbers: pd.Series[Any], times: pd.Series[Any]) -> bool:
    """Whether a number never falls as time goes on."""
    seen = numbers.groupby(times).agg(["min", "max"]).sort_index()
    return len(seen) >= 20 and bool(
        (seen["min"].iloc[1:].to_numpy() >= seen["max"].iloc[:-1].to_numpy()).all()
    )
