"""Which classes are taken for which."""

from __future__ import annotations

from dataclasses import dataclass

from pipelines.records import Confusion

MOST_CLASSES = 12


@dataclass(frozen=True)
class ConfusionCell:
    count: int
    share: str
    heat: int  # per cent of the colour
    right: bool


@dataclass(frozen=True)
class ConfusionView:
    """Rows of each true class by what they were called; of many classes the most frequent."""

    classes: list[str]
    lines: list[tuple[str, int, list[ConfusionCell]]]
    left_out: int


def confusion_view(found: Confusion | None) -> ConfusionView | None:
    """None where there is no class."""
    if found is None or not found.classes:
        return None
    shown = sorted(sorted(range(len(found.classes)), key=lambda i: -found.rows[i])[:MOST_CLASSES])
    lines = [
        (found.classes[i], rows, [confusion_cell(found.counts[i][j], rows, i == j) for j in shown])
        for i, rows in ((i, found.rows[i]) for i in shown)
    ]
    return ConfusionView([found.classes[i] for i in shown], lines, found.total - len(shown))


def confusion_cell(count: int, total: int, right: bool) -> ConfusionCell:
    share = count / total if total else 0.0
    return ConfusionCell(count, f"{share:.0%}" if total else "", round(100 * share), right)
