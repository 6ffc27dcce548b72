"""What all plots of the page have: a heading, how to read it, axes and a legend."""

from __future__ import annotations

import math
from dataclasses import dataclass

from pipelines.records import Curve
from pipelines.reporting.model.panels import Axes, Panel


@dataclass(frozen=True)
class Legend:
    kind: str
    words: str


@dataclass(frozen=True)
class Figure:
    """A plot with its heading, a sentence on how to read it, and its legend."""

    name: str
    note: str
    panel: Panel
    legend: list[Legend]


def finite_points(curve: Curve | None) -> list[tuple[float, float]]:
    if curve is None:
        return []
    pairs = zip(curve.x, curve.y, strict=False)
    return [(x, y) for x, y in pairs if math.isfinite(x) and math.isfinite(y)]


def empty_panel(title: str, says: str, labels: tuple[str, str], on: Axes) -> Panel:
    """A plot without anything in it; `replace` puts in what is drawn."""
    x, y = labels
    return Panel(title=title, says=says, x_label=x, y_label=y, x_ticks=on.x_ticks, y_ticks=on.y_ticks)
