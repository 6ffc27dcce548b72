"""Look at a table as a careful colleague would: what to predict, when rows happened, what to leave out.

Statistics are taken of the whole table; what looks like a matter of taste is said in the column's `why`.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from pipelines.config import ColumnType, Format
from pipelines.data.columns import as_number, as_text, as_time
from pipelines.data.leaks import find_leaks
from pipelines.data.profiling_columns import FEW, ColumnProfile, is_day_first, profile_column, without_marks
from pipelines.errors import DataError, UsageError
from pipelines.records import Record, Task

if TYPE_CHECKING:
    import pandas as pd


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
    """What is in the table and how to use it.

    Raises UsageError for an unknown column, DataError for a target that cannot be learned.
    """
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
    warnings += [
        f"{c.name}: {c.why} look wrong; these rows go to quarantine."
        for c in columns.values()
        if c.beyond and c.role != "unused"
    ]
    span = None if timestamp is None else (values[timestamp].max() - values[timestamp].min()).to_pytimedelta()
    return Profile(
        rows=len(frame),
        task=task,
        target=target,
        timestamp=timestamp,
        format=fmt,
        columns=list(columns.values()),
        warnings=warnings,
        span=span,
        majority=majority,
    )


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


# -------------------------------------------------------------------------------------- what to do with it


def infer_task(values: pd.Series[Any], column: ColumnProfile) -> tuple[Task, float, list[str]]:
    """The task, the share of the most frequent class, and what should be said about it."""
    present = values.dropna()
    if column.distinct < 2:
        raise DataError(
            f"The target {column.name!r} has {column.distinct or 'no'} value: there is nothing to predict.",
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
            f"{column.name} is taken as {column.distinct} classes; for an amount, task: regression, rmse."
        ]
        return "multiclass", majority, said + rare(shares, len(present))
    if (
        column.type == "time"
        or column.distinct > max(100, 0.05 * len(present))
        or column.distinct > 0.5 * len(present)
    ):
        raise DataError(
            f"The target {column.name!r}: {column.distinct:,} values in {len(present):,} rows.",
            "Name a number, or a class that many rows share, as --target.",
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
                else:  # a year carries the trend while it lasts: without it, hourly bikes lose a third
                    columns[name] = columns[name].model_copy(update={"why": why, "high": None})
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
