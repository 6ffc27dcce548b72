"""Look at a table as a careful colleague would: what to predict, when rows happened, what to leave out.

Statistics are taken of the whole table; what looks like a matter of taste is said in the column's `why`.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from pipelines.config import ColumnType, Format
from pipelines.data.definition.column_profiles import FEW, ColumnProfile, profile_column, typed
from pipelines.data.definition.leaks import find_leaks
from pipelines.data.definition.relations import Relation, find_relations
from pipelines.data.definition.spellings import (
    alike_labels,
    date_order,
    likely_marks,
    may_be_number,
    without_marks,
)
from pipelines.errors import DataError, UsageError
from pipelines.records import Record, Task

if TYPE_CHECKING:
    import pandas as pd

TYPED: tuple[ColumnType, ...] = ("time", "number")


class Profile(Record):
    """What a definition is proposed from; `span` is the time between the first row and the last.

    Of `rows` so many were `profiled`: all, or each so-manieth.
    """

    rows: int
    profiled: int
    task: Task
    target: str
    timestamp: str | None
    format: Format
    columns: list[ColumnProfile]
    relations: list[Relation]
    warnings: list[str]
    span: timedelta | None = None
    majority: float = 0.0  # share of the most frequent class
    future: bool = False  # rows dated ahead of the clock are there
    ambiguous: bool = False  # dates that can be read in two ways are there


def profile_table(
    frame: pd.DataFrame, target: str, timestamp: str | None, fmt: Format, rows: int | None = None
) -> Profile:
    """What is in the table, or in these of its `rows`, and how to use it.

    Raises UsageError for an unknown column, DataError for a target that cannot be learned.
    """
    check_asked(frame, target, timestamp)
    rows = rows or len(frame)
    frame, marks = without_marks(frame, fmt)
    day_first, doubtful = date_order(frame)
    fmt = fmt.model_copy(update={"missing": marks, "day_first": day_first})
    profiled = [profile_column(frame[name], fmt) for name in frame.columns]
    columns = {column.name: column for column, _ in profiled}
    values = {column.name: meant for column, meant in profiled}
    warnings = size_warnings(frame, target, rows)
    task, majority, said = infer_task(frame[target], columns[target], fmt)
    warnings += said
    timestamp, said = choose_timestamp(columns, timestamp, frame, fmt, target)
    warnings += said + doubtful
    assign_roles(columns, values, frame, fmt, (target, timestamp, task))
    columns = leave_out(columns, values, values[target], timestamp)
    check_features(columns, timestamp)
    future = timestamp is not None and is_ahead(values[timestamp])
    if future:
        warnings.append(f"{timestamp} has rows dated ahead of the clock: future is null, so they are let in.")
    return Profile(
        rows=rows,
        profiled=len(frame),
        task=task,
        target=target,
        timestamp=timestamp,
        format=fmt,
        columns=list(columns.values()),
        relations=relations_of(columns, values),
        warnings=warnings + column_warnings(columns, values, target),
        span=None
        if timestamp is None
        else (values[timestamp].max() - values[timestamp].min()).to_pytimedelta(),
        majority=majority,
        future=future,
        ambiguous=bool(doubtful),
    )


def check_features(columns: dict[str, ColumnProfile], timestamp: str | None) -> None:
    """Raise DataError, with the reason of each column, where there is nothing to learn from."""
    if timestamp is None and all(c.role != "feature" for c in columns.values()):
        why = "; ".join(f"{c.name}: {c.why}" for c in columns.values() if c.role == "unused")[:1000]
        raise DataError(f"No column is left to learn from. {why}.", "Add columns that tell something.")


def assign_roles(
    columns: dict[str, ColumnProfile],
    values: dict[str, pd.Series[Any]],
    frame: pd.DataFrame,
    fmt: Format,
    chosen: tuple[str, str | None, Task],
) -> None:
    """Give target and timestamp their role, and their values the type that goes with it."""
    target, timestamp, task = chosen
    kind: ColumnType = "number" if task == "regression" else "category"
    columns[target] = columns[target].model_copy(update={"role": "target", "type": kind})
    values[target] = typed(frame[target], kind, fmt)
    if timestamp is not None:
        changed = {"role": "timestamp", "type": "time", "why": "when the row happened"}
        columns[timestamp] = columns[timestamp].model_copy(update=changed)
        values[timestamp] = typed(frame[timestamp], "time", fmt)


def is_ahead(times: pd.Series[Any]) -> bool:
    """Whether times lie more than a day ahead of the clock."""
    return bool((times > datetime.now(UTC).replace(tzinfo=None) + timedelta(days=1)).any())


def relations_of(columns: dict[str, ColumnProfile], values: dict[str, pd.Series[Any]]) -> list[Relation]:
    kinds = {kind: {c.name: values[c.name] for c in columns.values() if c.type == kind} for kind in TYPED}
    return find_relations(kinds["time"], kinds["number"])


def column_warnings(
    columns: dict[str, ColumnProfile], values: dict[str, pd.Series[Any]], target: str
) -> list[str]:
    """What should be said of single columns."""
    said = [f"{c.name} is left out: {c.why}." for c in columns.values() if "leak" in c.why]
    used = [c for c in columns.values() if c.role != "unused"]
    said += [f"{c.name}: {c.why}: implausible, so these rows go to quarantine." for c in used if c.beyond]
    for column in used:
        if column.type == "number":
            said += likely_marks(column.name, values[column.name])
        elif column.type == "category" and (column.name == target or column.distinct <= FEW):
            said += alike_labels(column.name, values[column.name])
    return said + [f"{c.name}: {c.why}." for c in columns.values() if "2^53" in c.why]


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


def size_warnings(frame: pd.DataFrame, target: str, rows: int) -> list[str]:
    missing = int(frame[target].isna().sum())
    said = []
    if len(frame) < rows:
        said.append(f"All this was told from {len(frame):,} of {rows:,} rows, evenly spread.")
    if rows < 50:
        said.append(f"Only {rows} rows: too few to learn or to judge from.")
    if missing:
        about = "" if len(frame) == rows else "About "
        said.append(
            f"{about}{round(missing * rows / len(frame)):,} rows have no {target}; they go to quarantine."
        )
    return said


# -------------------------------------------------------------------------------------- what to do with it


def infer_task(values: pd.Series[Any], column: ColumnProfile, fmt: Format) -> tuple[Task, float, list[str]]:
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
    said = (
        [
            f"{column.name}: two of its values have {both:.1%} of the rows. If the others are mistakes, mend"
            " them, and make it task: binary."
        ]
        if (both := float(shares.iloc[:2].sum())) >= 0.99
        else []
    )
    numbers = typed(present, "number", fmt).dropna() if may_be_number(present, fmt) else present[:0]
    if column.type in {"number", "category"} and len(numbers) >= 0.98 * len(present):
        if not are_classes(numbers):
            return "regression", 0.0, []
        said.append(
            f"{column.name} is taken as {column.distinct} classes; for an amount, task: regression, rmse."
        )
    else:
        check_classes(column, len(present))
    return "multiclass", majority, said + rare(shares, len(present))


def check_classes(column: ColumnProfile, rows: int) -> None:
    """Raises DataError for a target that is a time, a name or free text."""
    if column.type == "time" or column.distinct > max(100, 0.05 * rows) or column.distinct > 0.5 * rows:
        raise DataError(
            f"The target {column.name!r}: {column.distinct:,} values in {rows:,} rows.",
            "Name a number, or a class that many rows share, as --target.",
        )


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
        lost = int((typed(frame[asked], "time", fmt).isna() & frame[asked].notna()).sum())
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
    reasons, doubted = find_leaks(candidates, target)
    columns |= {name: columns[name].model_copy(update={"why": why}) for name, why in doubted.items()}
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
