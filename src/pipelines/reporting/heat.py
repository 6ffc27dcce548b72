"""The heat map: how far each column drifted in each window."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from pipelines.records import ColumnDrift, WindowJudgment
from pipelines.reporting.words import number, span


@dataclass(frozen=True)
class HeatCell:
    """Score over threshold: `heat` is 0 to 100 per cent of the colour; None where the window has no score."""

    heat: int
    text: str
    drifted: bool
    title: str


@dataclass(frozen=True)
class HeatRow:
    column: str
    cells: list[HeatCell | None]


def heat_rows(windows: Sequence[WindowJudgment], most: int = 30) -> tuple[list[HeatRow], int]:
    """Columns by windows, the most drifted columns first, and how many quieter columns were left out."""
    scores = [{c.column: c for c in w.measure.drift.columns} if w.measure.drift else {} for w in windows]
    worst: dict[str, float] = {}
    for by_column in scores:
        for name, column in by_column.items():
            worst[name] = max(worst.get(name, 0.0), ratio(column))
    names = sorted(worst, key=lambda name: (-worst[name], name))
    rows = [
        HeatRow(
            name, [heat_cell(s[name], w) if name in s else None for s, w in zip(scores, windows, strict=True)]
        )
        for name in names[:most]
    ]
    return rows, max(0, len(names) - most)


def ratio(column: ColumnDrift) -> float:
    value = column.score / column.threshold if column.threshold > 0 else 0.0
    return value if math.isfinite(value) else 0.0


def heat_cell(column: ColumnDrift, window: WindowJudgment) -> HeatCell:
    """A hint of colour up to the threshold, 40 % above it, then by the logarithm; all at eight times."""
    times = ratio(column)
    heat = 40 + 20 * math.log2(times) if times > 1 else 14 * max(times, 0)
    where = span(window.measure.start, window.measure.end)
    said = "drifted" if column.drifted else "steady"
    score = f"{column.method} {number(column.score)}, threshold {number(column.threshold)}"
    title = f"{column.column}, {where}: {score}: {said}"
    text = f"{times:.1f}" if times < 99.95 else ">99"
    return HeatCell(min(100, round(heat)), text, column.drifted, title)
