"""Parts of the test rows: slices, and the groups that fairness is measured on."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pipelines.evaluation.proportions import Z
from pipelines.records import Evaluation, GroupFairness, GroupRates, Rate, SliceMetric
from pipelines.reporting.model.strips import Point, Ruler, Strip, ruler, words
from pipelines.reporting.words import DASH, number, with_interval

NARROW = 150
MOST_GROUPS, MOST_SLICES = 40, 60
CALIBRATION = "probability less frequency"
RATES: dict[str, Callable[[GroupRates], Rate | None]] = {
    "selected": lambda group: group.selection,
    "true positives": lambda group: group.true_positive,
    "false positives": lambda group: group.false_positive,
    CALIBRATION: lambda group: group.calibration,
}


# ------------------------------------------------------------------------------------------------- slices


@dataclass(frozen=True)
class SliceLine:
    name: str
    rows: int
    share: str
    value: str
    interval: str
    difference: str  # to the champion, with its interval
    strip: Strip


@dataclass(frozen=True)
class SliceView:
    """The slices that a definition names and those that were found, over one scale."""

    named: list[SliceLine]
    found: list[SliceLine]
    ruler: Ruler
    left_out: int
    among: int  # test rows that the found ones were looked for among
    champion: bool
    differences: bool


def slice_view(evaluation: Evaluation) -> SliceView | None:
    """None where no slice was measured; of many, the largest of each kind are shown."""
    parts = [
        sorted((s for s in evaluation.slices if s.found == kind), key=lambda s: -s.rows)
        for kind in (False, True)
    ]
    shown = [part[:MOST_SLICES] for part in parts]
    if not any(shown):
        return None
    points = [p for part in shown for one in part for p in slice_points(one)]
    scale = ruler(points, reference=evaluation.metrics.get(evaluation.metric))
    named, found = ([slice_line(one, evaluation.rows, scale) for one in part] for part in shown)
    return SliceView(
        named=named,
        found=found,
        ruler=scale,
        left_out=len(evaluation.slices) - len(named) - len(found),
        among=max((one.among for one in evaluation.slices if one.among), default=evaluation.rows),
        champion=any(one.champion is not None for one in evaluation.slices),
        differences=any(one.difference is not None for one in evaluation.slices),
    )


def slice_points(one: SliceMetric) -> list[Point]:
    """The model with its interval, and the champion where it could be measured."""
    points = []
    if one.interval is not None and math.isfinite(one.interval.value):
        points.append(Point(one.interval.value, one.interval.low, one.interval.high, "own", "this model"))
    if one.champion is not None and math.isfinite(one.champion):
        points.append(Point(one.champion, kind="champion", title=f"champion: {number(one.champion)}"))
    return points


def slice_line(one: SliceMetric, rows: int, scale: Ruler) -> SliceLine:
    points = slice_points(one)
    known = points and points[0].kind == "own"
    value, interval = words(points[0]) if known else (DASH, "")
    return SliceLine(
        name=one.name,
        rows=one.rows,
        share=f"{one.rows / (one.among or rows):.1%}" if rows else "",
        value=value,
        interval=interval,
        difference=difference_words(one),
        strip=scale.strip(points),
    )


def difference_words(one: SliceMetric) -> str:
    if one.difference is None or not math.isfinite(one.difference.value):
        return DASH
    value, low, high = with_interval(one.difference.value, one.difference.low, one.difference.high)
    return f"{'+' if one.difference.value > 0 else ''}{value} ({low} to {high})"


# ----------------------------------------------------------------------------------------------- fairness


@dataclass(frozen=True)
class RateCell:
    value: str
    interval: str
    strip: Strip | None


@dataclass(frozen=True)
class GroupLine:
    group: str
    rows: int
    cells: list[RateCell]


@dataclass(frozen=True)
class FairnessView:
    """The groups of a column, a strip for each of RATES, and the widest differences in words."""

    column: str
    lines: list[GroupLine]
    left_out: int
    names: list[str]
    rulers: list[Ruler]
    summary: list[tuple[str, str, str]]  # name, value, interval


def fairness_view(found: GroupFairness) -> FairnessView:
    groups = sorted(found.groups, key=lambda group: -group.rows)
    shown = groups[:MOST_GROUPS]
    points = {name: [rate_point(rate(group), name) for group in shown] for name, rate in RATES.items()}
    names = [name for name in RATES if any(points[name])]
    rulers = [rate_ruler([p for p in points[name] if p], name) for name in names]
    lines = [
        GroupLine(
            group=group.group.removeprefix(f"{found.column} = "),
            rows=group.rows,
            cells=[rate_cell(points[name][i], scale) for name, scale in zip(names, rulers, strict=True)],
        )
        for i, group in enumerate(shown)
    ]
    left_out = found.left_out + len(groups) - len(shown)
    return FairnessView(found.column, lines, left_out, names, rulers, summary(found))


def rate_ruler(points: Sequence[Point], name: str) -> Ruler:
    return ruler(points, 0.0 if name == CALIBRATION else None, width=NARROW, most=3)


def rate_point(rate: Rate | None, name: str) -> Point | None:
    """A rate with its 95 % interval; a share stays between 0 and 1."""
    if rate is None or not math.isfinite(rate.value):
        return None
    low, high = rate.value - Z * rate.error, rate.value + Z * rate.error
    if name != CALIBRATION:
        low, high = max(0.0, low), min(1.0, high)
    return Point(rate.value, low, high, "own", f"{number(rate.value)}, {rate.rows:,} rows")


def rate_cell(point: Point | None, scale: Ruler) -> RateCell:
    if point is None:
        return RateCell(DASH, "", None)
    value, interval = words(point)
    return RateCell(value, interval, scale.strip([point]))


def summary(found: GroupFairness) -> list[tuple[str, str, str]]:
    """The widest differences between two groups."""
    rates = {
        "least selected over most selected": found.selection_ratio,
        "equalised odds, widest difference": found.odds_difference,
        "calibration, widest difference": found.calibration_difference,
    }
    lines = []
    for name, rate in rates.items():
        if rate is not None and math.isfinite(rate.value):
            wide = Z * rate.error
            value, low, high = with_interval(rate.value, rate.value - wide, rate.value + wide)
            lines.append((name, value, f"{low} to {high}"))
    return lines
