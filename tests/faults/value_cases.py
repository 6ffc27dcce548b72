"""Cells: numbers and times that are none, or not what they look like."""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from pipelines.errors import DataRefused
from tests.faults.frame import FARES, Case, Deliver, Form, file, to_csv


def replaced(column: str, cells: dict[int, object]) -> Callable[[pd.DataFrame], pd.DataFrame]:
    """The good rows with these cells, by row, in one column."""

    def change(rows: pd.DataFrame) -> pd.DataFrame:
        values = rows[column].astype(object)
        for row, cell in cells.items():
            values[row] = cell
        return rows.assign(**{column: values})

    return change


def cells(column: str, **found: object) -> Deliver:
    """The good rows with these cells, `row_<n>`, in one column."""
    change = replaced(column, {int(key.removeprefix("row_")): cell for key, cell in found.items()})
    return file(lambda rows: to_csv(change(rows)))


def without(*gone: int) -> Callable[[pd.DataFrame], pd.DataFrame]:
    """The good rows but for some."""
    return lambda rows: rows.drop(index=list(gone))


def spelled(spell: Callable[[pd.Timestamp], str], some: Sequence[int] = range(60)) -> Deliver:
    """The good rows with the times of some spelled so."""
    return file(
        lambda rows: to_csv(rows.assign(at=[spell(t) if i in some else t for i, t in enumerate(rows["at"])]))
    )


def grouped(rows: pd.DataFrame) -> str:
    return to_csv(
        rows.assign(distance=[f"{value:,.2f}" for value in rows["distance"]]), quoting=csv.QUOTE_MINIMAL
    )


def write_grouped(path: Path, frame: pd.DataFrame) -> None:
    path.write_text(grouped(frame), encoding="utf-8")


def days_first(moment: pd.Timestamp) -> str:
    return moment.strftime("%d/%m/%Y %H:%M")


def write_days_first(path: Path, frame: pd.DataFrame) -> None:
    path.write_text(to_csv(frame.assign(at=frame["at"].map(days_first))), encoding="utf-8")


def zoned(moment: pd.Timestamp) -> str:
    return moment.isoformat() + "+02:00"


GROUPED = Form("thousands", write=write_grouped)
DAYS_FIRST = Form("days first", write=write_days_first, definition={"data": {"format": {"day_first": True}}})

NUMBERS = [
    Case(
        "words among numbers at the end",
        cells("minutes", row_57="half an hour", row_58="?", row_59="12 min"),
        accepted=57,
        quarantined=3,
        read_as=without(57, 58, 59),
        says=(
            "value_is_readable on minutes: 3 of 60 rows .*a finite number.*'half an hour', '\\?', '12 min'",
        ),
    ),
    Case(
        "type changing half-way",
        file(lambda rows: to_csv(replaced("minutes", dict.fromkeys(range(30, 60), "long"))(rows))),
        DataRefused,
        (r"30 of 60 rows \(50\.0%\) break a check", "minutes", "'long'", r"validation\.most_quarantined"),
        refused=60,
    ),
    Case(
        "words in a target that is a number",
        cells("fare", row_3="free"),
        accepted=59,
        quarantined=1,
        form=FARES,
        read_as=without(3),
        says=("value_is_readable on fare: 1 of 60 rows .*'free'",),
    ),
    Case(
        "thousands not declared",
        file(grouped),
        DataRefused,
        (r"value_is_readable on distance: \d\d of 60 rows .*format\.thousands: ','\?", r"'\d,\d{3}\.\d\d'"),
        refused=60,
    ),
    Case("thousands declared", file(grouped), accepted=60, form=GROUPED),
    Case(
        "non-finite numbers",
        cells("minutes", row_1="inf", row_2="-Infinity", row_3="NaN"),
        accepted=58,
        quarantined=2,
        read_as=lambda rows: rows.assign(minutes=rows["minutes"].mask(rows.index == 3)).drop(index=[1, 2]),
        says=("value_is_readable on minutes: 2 of 60 rows .*a finite number.*'inf', '-Infinity'",),
    ),
    Case(
        "overflowing numbers",
        cells("minutes", row_1="1e999", row_2="-1e999"),
        accepted=58,
        quarantined=2,
        read_as=without(1, 2),
        says=("value_is_readable on minutes: 2 of 60 rows .*'1e999', '-1e999'",),
    ),
    Case(
        "huge integers",
        cells("minutes", row_1="9" * 40),
        accepted=59,
        quarantined=1,
        read_as=without(1),
        says=("value_is_readable on minutes: 1 of 60 rows", "at most 2\\^53"),
    ),
    Case(
        "huge integers as categories",
        cells("zone", row_1="9007199254740993", row_2="9007199254740992"),
        accepted=60,
        read_as=replaced("zone", {1: "9007199254740993", 2: "9007199254740992"}),
        says=("be_in_set on zone: 2 of 60 rows",),
    ),
]

TIMES = [
    Case(
        "unparsable timestamps",
        cells("at", row_1="soon", row_2="2025-02-30 10:00"),
        accepted=58,
        quarantined=2,
        read_as=without(1, 2),
        says=("value_is_readable on at: 2 of 60 rows .*'soon', '2025-02-30 10:00'",),
    ),
    Case(
        "days before months not declared",
        spelled(lambda moment: (moment + pd.Timedelta("10d")).strftime("%d/%m/%Y %H:%M")),
        DataRefused,
        (r"60 of 60 rows", "value_is_readable on at", r"'18/03/2025 .*'", "day_first"),
        refused=60,
    ),
    Case(
        "some days before months",
        spelled(lambda moment: (moment + pd.Timedelta("10d")).strftime("%d/%m/%Y %H:%M"), [4, 5]),
        accepted=58,
        quarantined=2,
        read_as=without(4, 5),
        says=("value_is_readable on at: 2 of 60 rows", "day_first"),
    ),
    Case("days before months declared", spelled(days_first), accepted=60, form=DAYS_FIRST),
    Case(
        "ambiguous timestamps",
        spelled(lambda moment: moment.strftime("%m/%d/%Y %H:%M")),
        accepted=60,
        says=(r"'at' has times such as '03/08/2025 17:07', read month first\..*day_first: true",),
    ),
    Case(
        "zoned timestamps",
        spelled(zoned),
        accepted=60,
        read_as=lambda rows: rows.assign(at=rows["at"] - pd.Timedelta("2h")),
    ),
    Case(
        "some timestamps zoned",
        spelled(zoned, [0, 1]),
        accepted=60,
        read_as=lambda rows: rows.assign(at=rows["at"] - pd.Timedelta("2h") * np.isin(rows.index, [0, 1])),
    ),
    Case(
        "future timestamps",
        cells("at", row_0="2099-01-01 00:00:00", row_1="9999-12-31 23:59:59"),
        accepted=58,
        quarantined=2,
        read_as=without(0, 1),
        says=("timestamp_is_not_in_the_future on at: 2 of 60 rows", "a day ahead of the clock"),
    ),
    Case(
        "unsorted time",
        file(lambda rows: to_csv(rows[::-1])),
        accepted=60,
        read_as=lambda rows: rows[::-1],
    ),
]

CASES = [*NUMBERS, *TIMES]
