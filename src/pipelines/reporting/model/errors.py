"""The plots of a model of values: how far off it is, and where."""

from __future__ import annotations

import math
from dataclasses import replace

from pipelines.records import Curve
from pipelines.reporting.model.figures import Figure, empty_panel, finite_points
from pipelines.reporting.model.panels import axes
from pipelines.reporting.words import number

OFF = "truth less prediction"


def histogram_figure(bins: Curve | None) -> Figure | None:
    """How many rows are how far off: `bins` has the edges, and the rows between each two."""
    counts = read_counts(bins)
    if bins is None or not counts:
        return None
    on, edges = axes(bins.x, [0, *counts]), bins.x
    boxes = [
        on.bar(edges[i], edges[i + 1], 0, count, "bar", f"{between(edges, i)}: {count:,} rows")
        for i, count in enumerate(counts)
    ]
    zero = [on.line([0, 0], [0, max(counts)], "chance", "no error")] if edges[0] <= 0 <= edges[-1] else []
    says = f"Most rows are {between(edges, counts.index(max(counts)))} off."
    panel = replace(empty_panel("Errors", says, (OFF, "rows"), on), boxes=boxes, lines=zero)
    note = "How far the truth is from the prediction; left of the dashed line too much was foretold."
    return Figure("Errors", note, panel, [])


def read_counts(bins: Curve | None) -> list[int]:
    """Rows of each bin, wherever the record has them; none where it makes no histogram."""
    if bins is None or len(bins.x) < 2 or not all(map(math.isfinite, bins.x)):
        return []
    counts = [*bins.rows] or [round(count) for count in bins.y if math.isfinite(count)]
    return counts if len(counts) == len(bins.x) - 1 and any(counts) else []


def between(edges: list[float], i: int) -> str:
    return f"{number(edges[i])} to {number(edges[i + 1])}"


def scatter_figure(curve: Curve | None) -> Figure | None:
    """Errors over predictions: a good model leaves a cloud about the line, as wide everywhere."""
    pairs = finite_points(curve)
    if not pairs:
        return None
    xs, ys = [x for x, _ in pairs], [y for _, y in pairs]
    on = axes(xs, [*ys, 0.0])
    dots = [on.dot(x, y, 2.6, "cloud", f"{number(x)} foretold, {number(x + y)} true") for x, y in pairs]
    lines = [on.line([min(xs), max(xs)], [0.0, 0.0], "chance", "no error")]
    says = f"{len(pairs)} rows; errors from {number(min(ys))} to {number(max(ys))}."
    panel = empty_panel("Errors over predictions", says, ("prediction", OFF), on)
    note = f"{len(pairs):,} of the test rows. A slope or a funnel is something that was not learnt."
    return Figure("Errors over predictions", note, replace(panel, lines=lines, dots=dots), [])
