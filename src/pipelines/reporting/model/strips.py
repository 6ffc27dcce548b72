"""Values with their intervals as marks on small strips, one for each row of a table, over a common scale."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from pipelines.reporting.charts import Scale, Tick, linear, nice_ticks
from pipelines.reporting.words import number, with_interval

WIDTH, EDGE = 300, 22
LINE = 16  # height of one mark's line
MOST_TICKS = 4


@dataclass(frozen=True)
class Point:
    """A value to be drawn; `low` and `high` are NaN where no interval is known."""

    value: float
    low: float = math.nan
    high: float = math.nan
    kind: str = "own"
    title: str = ""


@dataclass(frozen=True)
class Mark:
    """Where a value lies on its strip; `low` and `high` are the whisker's ends, None without one."""

    x: float
    y: float
    low: float | None
    high: float | None
    kind: str
    title: str


@dataclass(frozen=True)
class Strip:
    """The picture of one row: marks one below the other, and a line where the reference is."""

    width: int
    height: int
    marks: list[Mark]
    ticks: list[Tick]
    reference: float | None


@dataclass(frozen=True)
class Ruler:
    """A scale that several strips have in common."""

    scale: Scale
    ticks: list[Tick]
    reference: float | None
    width: int

    def strip(self, points: Sequence[Point]) -> Strip:
        marks = [
            self.mark(p, LINE * i + LINE / 2)
            for i, p in enumerate(q for q in points if math.isfinite(q.value))
        ]
        return Strip(self.width, LINE * max(1, len(marks)), marks, self.ticks, self.reference)

    def mark(self, point: Point, y: float) -> Mark:
        known = math.isfinite(point.low) and math.isfinite(point.high)
        return Mark(
            x=self.scale(point.value),
            y=y,
            low=self.scale(point.low) if known else None,
            high=self.scale(point.high) if known else None,
            kind=point.kind,
            title=point.title,
        )


def ruler(
    points: Sequence[Point], reference: float | None = None, width: int = WIDTH, most: int = MOST_TICKS
) -> Ruler:
    """A scale that has room for all points, their intervals and the reference."""
    found = [v for p in points for v in (p.value, p.low, p.high) if math.isfinite(v)]
    known = reference is not None and math.isfinite(reference)
    found += [reference] if known and reference is not None else []
    if not found:
        found = [0.0, 1.0]
    values = nice_ticks(min(found), max(found), most)
    scale = linear(values[0], values[-1], EDGE, width - EDGE)
    ticks = [Tick(scale(v), label(v)) for v in values]
    return Ruler(scale, thinned(ticks), scale(reference) if known and reference is not None else None, width)


def label(value: float) -> str:
    """A round number's digits, and no more."""
    return f"{value:.3g}" if abs(value) >= 1e6 else f"{value:,.6g}"


def thinned(ticks: list[Tick], room: float = 44) -> list[Tick]:
    """As many as have room beside each other."""
    kept: list[Tick] = []
    for tick in ticks:
        if not kept or tick.at - kept[-1].at >= max(room, 6.5 * len(tick.label)):
            kept.append(tick)
    return kept


def words(point: Point) -> tuple[str, str]:
    """The value, and its interval in words, `` where it has none."""
    if not (math.isfinite(point.low) and math.isfinite(point.high)):
        return number(point.value), ""
    value, low, high = with_interval(point.value, point.low, point.high)
    return value, f"{low} to {high}"
