"""The plots of a model of classes: how it ranks, and whether its probabilities come true."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from pipelines.evaluation.proportions import wilson
from pipelines.records import Curve, Task
from pipelines.reporting.model.figures import Figure, Legend, empty_panel, finite_points
from pipelines.reporting.model.panels import Axes, Dot, Line, axes
from pipelines.reporting.words import number

MOST_CURVES = 6  # in one plot; colours do not tell more apart
UNIT = (0.0, 1.0)
SMALL, LARGE = 2.0, 5.0  # radius of a calibration bin's dot


@dataclass(frozen=True)
class Bin:
    """Rows of about the same probability, and how often it came true; `rows` is 0 where not known."""

    foretold: float
    came: float
    rows: int


def roc_figure(curves: Mapping[str, Curve]) -> Figure | None:
    """How many of a class are found for how many others; the diagonal is what guessing gives."""
    note = "How many of a class are found, for how many of the others that are taken for it."
    return class_figure("ROC", note, curves, ("false positive rate", "true positive rate"), (0.0, 1.0))


def pr_figure(curves: Mapping[str, Curve]) -> Figure | None:
    """Precision over recall; of one class with the line of guessing, which is the share of the class."""
    note = "How many of those that are called a class are of it, for how many of the class are found."
    only = finite_points(next(iter(curves.values()))) if len(curves) == 1 else []
    share = (only[-1][1], only[-1][1]) if only else None  # where all rows are called so
    return class_figure("Precision and recall", note, curves, ("recall", "precision"), share)


def class_figure(
    name: str,
    note: str,
    curves: Mapping[str, Curve],
    labels: tuple[str, str],
    chance: tuple[float, float] | None,
) -> Figure | None:
    """A curve for each class, and what guessing gives from left to right; None without a curve."""
    drawable = [label for label, curve in curves.items() if len(finite_points(curve)) > 1]
    shown = drawable[:MOST_CURVES]
    if not shown:
        return None
    on = axes(UNIT, UNIT)
    lines = [on.line(UNIT, chance, "chance", "guessing")] if chance else []
    lines += [on.line(curves[c].x, curves[c].y, f"curve{i}", c) for i, c in enumerate(shown)]
    note += f" {len(shown)} of {len(drawable)} classes." if len(drawable) > len(shown) else ""
    panel = empty_panel(name, f"{labels[1]} over {labels[0]} of {', '.join(shown)}", labels, on)
    legend = [Legend(f"curve{i}", c) for i, c in enumerate(shown)]
    legend += [Legend("chance", "guessing")] if chance else []
    return Figure(name, note, replace(panel, lines=lines), legend)


# -------------------------------------------------------------------------------------------- calibration


def calibration_figure(curve: Curve | None, task: Task) -> Figure | None:
    """The reliability diagram: bins with their sizes, and the 95 % interval of what came true."""
    bins = read_bins(curve)
    if not bins:
        return None
    spans = find_spans(bins)
    end = min(1.0, max([0.01, *(one.foretold for one in bins), *(high for _, high in spans)]))
    on = axes((0.0, end), (0.0, end))
    worst = max(bins, key=lambda one: abs(one.foretold - one.came))
    says = f"Farthest from the line: {bin_words(worst)}."
    panel = replace(
        empty_panel("Calibration", says, ("mean probability", "share that came true"), on),
        lines=calibration_lines(bins, end, on),
        dots=calibration_dots(bins, on),
        boxes=[
            on.bar(one.foretold, one.foretold, *span, "whisker", "")
            for one, span in zip(bins, spans, strict=True)
        ],
    )
    return Figure("Calibration", calibration_note(bins, task), panel, [])


def read_bins(curve: Curve | None) -> list[Bin]:
    if curve is None:
        return []
    rows = curve.rows if len(curve.rows) == len(curve.x) else [0] * len(curve.x)
    found = [Bin(x, y, n) for x, y, n in zip(curve.x, curve.y, rows, strict=False)]
    return [one for one in found if math.isfinite(one.foretold) and math.isfinite(one.came)]


def calibration_note(bins: Sequence[Bin], task: Task) -> str:
    of = "the positive class" if task == "binary" else "the class that is said"
    least, most = min(one.rows for one in bins), max(one.rows for one in bins)
    sizes = f"{least:,}" if least == most else f"{least:,} to {most:,}"
    note = f"How often what was foretold of {of} came true; on the dashed line, just as often."
    return f"{note} {sizes} rows a dot." if most else note


def calibration_lines(bins: Sequence[Bin], end: float, on: Axes) -> list[Line]:
    ends = (0.0, end)
    found = on.line([one.foretold for one in bins], [one.came for one in bins], "curve0")
    return [on.line(ends, ends, "chance", "as often as foretold"), found]


def calibration_dots(bins: Sequence[Bin], on: Axes) -> list[Dot]:
    """The area of a dot follows the rows of its bin."""
    most = max(one.rows for one in bins) or 1
    sizes = [SMALL + (LARGE - SMALL) * math.sqrt(one.rows / most) for one in bins]
    return [
        on.dot(one.foretold, one.came, size, "own", bin_words(one))
        for one, size in zip(bins, sizes, strict=True)
    ]


def bin_words(one: Bin) -> str:
    said = f"{number(one.foretold)} foretold, {number(one.came)} came true"
    return f"{said}, {one.rows:,} rows" if one.rows else said


def find_spans(bins: Sequence[Bin]) -> list[tuple[float, float]]:
    """The 95 % interval of what came true in each bin; the share itself where the rows are not known."""
    import numpy as np

    came, rows = np.clip([one.came for one in bins], 0.0, 1.0), np.array([max(one.rows, 0) for one in bins])
    low, high = (np.where(rows > 0, end.clip(0.0, 1.0), came).tolist() for end in wilson(came * rows, rows))
    return list(zip(low, high, strict=True))
