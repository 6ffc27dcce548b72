"""Plots with two axes: lines, dots, bars and whiskers in the units of the SVG's view box."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from pipelines.reporting.charts import Scale, Tick, linear, nice_ticks
from pipelines.reporting.model.strips import label, thinned

WIDTH, HEIGHT = 420, 330
LEFT, RIGHT, TOP, BOTTOM = 54, 14, 12, 44
MOST_TICKS = 6


@dataclass(frozen=True)
class Line:
    points: str
    kind: str
    title: str = ""


@dataclass(frozen=True)
class Dot:
    x: float
    y: float
    radius: float
    kind: str
    title: str


@dataclass(frozen=True)
class Box:
    """A bar, or a whisker where it has no width."""

    x: float
    y: float
    width: float
    height: float
    kind: str
    title: str


@dataclass(frozen=True)
class Panel:
    """A plot: what is drawn, its axes, and what it says in a sentence for those who do not see it."""

    title: str
    says: str
    x_label: str
    y_label: str
    x_ticks: list[Tick]
    y_ticks: list[Tick]
    lines: list[Line] = field(default_factory=list)
    dots: list[Dot] = field(default_factory=list)
    boxes: list[Box] = field(default_factory=list)
    width: int = WIDTH
    height: int = HEIGHT
    left: float = LEFT
    right: float = WIDTH - RIGHT
    top: float = TOP
    bottom: float = HEIGHT - BOTTOM


@dataclass(frozen=True)
class Axes:
    """Two scales with their ticks."""

    x: Scale
    y: Scale
    x_ticks: list[Tick]
    y_ticks: list[Tick]

    def line(self, xs: Iterable[float], ys: Iterable[float], kind: str, title: str = "") -> Line:
        pairs = [(x, y) for x, y in zip(xs, ys, strict=False) if math.isfinite(x) and math.isfinite(y)]
        return Line(" ".join(f"{self.x(x):g},{self.y(y):g}" for x, y in pairs), kind, title)

    def dot(self, x: float, y: float, radius: float, kind: str, title: str) -> Dot:
        return Dot(self.x(x), self.y(y), round(radius, 1), kind, title)

    def bar(self, left: float, right: float, low: float, high: float, kind: str, title: str) -> Box:
        """A box between two values of x and two of y; what is more than nothing can be seen."""
        x, top = self.x(left), self.y(high)
        height = self.y(low) - top
        return Box(
            x,
            top,
            round(max(0.0, self.x(right) - x), 1),
            round(max(height, 1.0 * (high > low)), 1),
            kind,
            title,
        )


def axes(xs: Sequence[float], ys: Sequence[float], height: int = HEIGHT, width: int = WIDTH) -> Axes:
    """Axes of round numbers that hold all finite values."""
    x_values, y_values = round_values(xs), round_values(ys)
    x = linear(x_values[0], x_values[-1], LEFT, width - RIGHT)
    y = linear(y_values[0], y_values[-1], height - BOTTOM, TOP)
    return Axes(x, y, thinned(ticks(x, x_values)), ticks(y, y_values))


def round_values(values: Sequence[float]) -> list[float]:
    finite = [v for v in values if math.isfinite(v)]
    return nice_ticks(min(finite), max(finite), MOST_TICKS) if finite else [0.0, 1.0]


def ticks(scale: Scale, values: Sequence[float]) -> list[Tick]:
    return [Tick(scale(v), label(v)) for v in values]
