"""Numbers, days and durations as a reader wants them."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

DASH = "\N{EN DASH}"


def number(value: float) -> str:
    """Three significant digits, thousands apart, never an exponent for everyday sizes."""
    if not math.isfinite(value):
        return DASH
    if value == 0 or 1e-4 <= abs(value) < 1e9:
        digits = 0 if value == 0 else max(0, 2 - math.floor(math.log10(abs(value))))
        return f"{value:,.{digits}f}"
    return f"{value:.2e}"


def digits(width: float) -> int:
    """Decimals that a value with an interval of this width deserves: two digits of the width."""
    if not math.isfinite(width) or width <= 0:
        return 3
    return min(8, max(0, 1 - math.floor(math.log10(width))))


def with_interval(value: float, low: float, high: float) -> tuple[str, str, str]:
    """The three numbers to the same decimals, those that the interval allows."""
    if not math.isfinite(low) or not math.isfinite(high) or max(abs(low), abs(high), abs(value)) >= 1e9:
        return number(value), number(low), number(high)
    places = digits(high - low)
    if any(end and round(end, places) == 0 for end in (low, high)):
        places += 1  # on which side of 0 an end lies can be seen
    if not places and abs(value) < 100:
        places = 1  # three digits of the value itself
    return f"{value:,.{places}f}", f"{low:,.{places}f}", f"{high:,.{places}f}"


def size(count: float) -> str:
    """Bytes: `812 B`, `4.2 kB`, `1.31 GB`."""
    for unit, name in ((1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if count >= unit:
            return f"{number(count / unit)} {name}"
    return f"{count:.0f} B"


def day(moment: datetime) -> str:
    return f"{moment.day} {moment:%b}"


def span(start: datetime, end: datetime) -> str:
    """The first and last day, where the end is not included; with hours where it is not whole days."""
    if start.time() == end.time() and end - start >= timedelta(days=1):
        last = end - timedelta(days=1)
        first = str(start.day) if (start.year, start.month) == (last.year, last.month) else day(start)
        return day(start) if start.date() == last.date() else f"{first} {DASH} {day(last)}"
    return f"{day(start)} {start:%H:%M} {DASH} {day(end)} {end:%H:%M}"


def moment(value: datetime | None) -> str:
    """`14 Jun 2025, 06:02 UTC`; event time carries no zone."""
    if value is None:
        return ""
    zoned = value.astimezone(UTC) if value.tzinfo else value
    return f"{zoned.day} {zoned:%b %Y, %H:%M}{' UTC' if value.tzinfo else ''}"


def duration(seconds: float) -> str:
    """`42 s`, `3 min 10 s`, `2 h 5 min`."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
