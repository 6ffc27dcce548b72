"""Columns: named twice or otherwise, renamed, added, gone, in another order."""

from __future__ import annotations

from typing import Any

import pandas as pd

from pipelines.errors import DataError
from tests.faults.frame import Case, Deliver, file, to_csv


def renamed(**names: str) -> Deliver:
    """The good rows with other column names."""
    return file(lambda rows: to_csv(rows.rename(columns=names)))


def headed(*names: str) -> Deliver:
    """The good rows under this header."""
    return file(lambda rows: ",".join(names) + "\n" + to_csv(rows, header=False))


def columns(**specs: Any) -> dict[str, Any]:
    """These columns in the definition."""
    return {"columns": specs}


def without_zone(rows: pd.DataFrame) -> str:
    return to_csv(rows.drop(columns="zone"))


CASES = [
    Case(
        "target missing",
        file(lambda rows: to_csv(rows.drop(columns="late"))),
        DataError,
        (r"delivery\.csv has no column 'late' \(the target", "Columns found: at, zone, distance, minutes"),
    ),
    Case(
        "columns named twice",
        headed("at", "zone", "minutes", "minutes", "late"),
        DataError,
        (r"delivery\.csv has columns named twice: minutes",),
    ),
    Case(
        "headers with blanks",
        headed(" at", "zone ", "  distance  ", "minutes", "\tlate"),
        accepted=60,
    ),
    Case(
        "headers in other case",
        headed("AT", "Zone", "DISTANCE", "minutes", "Late"),
        accepted=60,
        says=("'DISTANCE' is read as 'distance'", r"`distance: \{type: number, also: \['DISTANCE'\]\}`"),
    ),
    Case(
        "two headers alike but for case",
        headed("at", "Zone", "ZONE", "minutes", "late"),
        DataError,
        (r"delivery\.csv has no column 'zone'", "Zone, ZONE"),
    ),
    Case(
        "a header cell empty",
        headed("at", "zone", "", "minutes", "late"),
        DataError,
        (r"delivery\.csv has no column 'distance' \(the model learns from it\)",),
    ),
    Case(
        "a header with a terminal escape",
        renamed(zone="zo\x1b[31mne"),
        DataError,
        (r"has no column 'zone'", r"zo\\x1b\[31mne"),
    ),
    Case(
        "no header",
        file(lambda rows: to_csv(rows, header=False)),
        DataError,
        (r"delivery\.csv has no column 'at'", "Columns found: 2025-03-08 "),
    ),
    Case(
        "a column renamed",
        renamed(zone="district"),
        DataError,
        (
            r"has no column 'zone' \(the model learns from it\)",
            r"`zone: \{type: category, also: \['district'\]\}`",
        ),
    ),
    Case(
        "a column renamed and accepted",
        renamed(zone="district"),
        accepted=60,
        definition=columns(zone={"also": ["district"]}),
    ),
    Case(
        "a column added",
        file(lambda rows: to_csv(rows.assign(tip=1.5))),
        accepted=60,
        says=(r"column 'tip' is not in the definition and is left out\. `tip: \{type: number\}`",),
    ),
    Case(
        "a column gone",
        file(without_zone),
        DataError,
        (r"has no column 'zone'", r"`zone: \{type: category, optional: true\}`"),
    ),
    Case(
        "a column gone and accepted",
        file(without_zone),
        accepted=60,
        definition={**columns(zone={"optional": True}), "validation": {"checks": []}},
        read_as=lambda rows: rows.assign(zone=None),
    ),
    Case("columns in another order", file(lambda rows: to_csv(rows[rows.columns[::-1]])), accepted=60),
]
