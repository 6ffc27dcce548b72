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
    """Rows of each true class by what they were called; of many classes the first ones."""

    classes: list[str]
    lines: list[tuple[str, int, list[ConfusionCell]]]
    left_out: int


def confusion_view(found: Confusion | None) -> ConfusionView | None:
    """None where there is no class."""
    if found is None or not found.classes:
        return None
    classes = found.classes[:MOST_CLASSES]
    lines = []
    for i, name in enumerate(classes):
        total = sum(found.counts[i])
        cells = [confusion_cell(found.counts[i][j], total, i == j) for j in range(len(classes))]
        lines.append((name, total, cells))
    return ConfusionView(classes, lines, len(found.classes) - len(classes))


def confusion_cell(count: int, total: int, right: bool) -> ConfusionCell:
    share = count / total if total else 0.0
    return ConfusionCell(count, f"{share:.0%}" if total else "", round(100 * share), right)
