"""What the answers rest on, and how they stand changes of the input."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from pipelines.records import Importance, Probe
from pipelines.reporting.charts import Scale, linear
from pipelines.reporting.words import DASH, digits, number

WIDTH = 230
MOST_COLUMNS = 25
HOT = 0.5  # a change so large has the full colour


@dataclass(frozen=True)
class Bar:
    """A bar between zero and a value, with a whisker where a deviation is known."""

    x: float
    width: float
    low: float | None
    high: float | None
    zero: float
    negative: bool
    text: str
    around: str  # the deviation in words


@dataclass(frozen=True)
class ImportanceLine:
    column: str
    permutation: Bar | None
    shapley: Bar | None
    alone: str


@dataclass(frozen=True)
class ImportanceView:
    lines: list[ImportanceLine]
    left_out: int
    shapley: bool
    alone: bool


def importance_view(found: Sequence[Importance]) -> ImportanceView | None:
    """The columns that matter most first; None where nothing was measured."""
    if not found:
        return None
    ranked = sorted(found, key=lambda one: x if math.isfinite(x := known(one.permutation)) else -math.inf)
    shown = ranked[::-1][:MOST_COLUMNS]
    falls = bars([known(one.permutation) for one in shown], [one.deviation for one in shown])
    means = bars([known(one.shapley) for one in shown])
    lines = [
        ImportanceLine(one.column, fall, mean, DASH if one.alone is None else f"{one.alone:.0%}")
        for one, fall, mean in zip(shown, falls, means, strict=True)
    ]
    return ImportanceView(
        lines=lines,
        left_out=len(found) - len(shown),
        shapley=any(means),
        alone=any(one.alone is not None for one in shown),
    )


def known(value: float | None) -> float:
    return math.nan if value is None else value


def bars(values: Sequence[float], deviations: Sequence[float] | None = None) -> list[Bar | None]:
    """Bars over one scale that holds 0; None for what is no number."""
    around = deviations or [0.0] * len(values)
    around = [d if math.isfinite(d) else 0.0 for d in around]
    ends = [v + s * d for v, d in zip(values, around, strict=True) for s in (-1, 1) if math.isfinite(v)]
    scale = linear(min([0.0, *ends]), max([0.0, *ends]), 2, WIDTH - 2)
    places = digits(0.1 * max(map(abs, ends), default=0.0))  # three digits of the longest
    return [
        bar(v, d, scale, places) if math.isfinite(v) else None for v, d in zip(values, around, strict=True)
    ]


def bar(value: float, deviation: float, scale: Scale, places: int) -> Bar:
    start, stop = sorted((scale(0.0), scale(value)))
    return Bar(
        x=start,
        width=round(max(stop - start, 1.0), 1),
        low=scale(value - deviation) if deviation else None,
        high=scale(value + deviation) if deviation else None,
        zero=scale(0.0),
        negative=value < 0,
        text=f"{value:,.{places}f}",
        around=f"± {deviation:,.{places}f}" if deviation else "",
    )


# ------------------------------------------------------------------------------------------------- probes


@dataclass(frozen=True)
class ProbeCell:
    text: str
    heat: int
    failed: bool
    title: str


@dataclass(frozen=True)
class ProbeView:
    """What was changed in all columns at once, then a row for each column that was changed alone."""

    whole: list[tuple[str, ProbeCell]]
    names: list[str]
    lines: list[tuple[str, list[ProbeCell | None]]]
    left_out: int


def probe_view(probes: Sequence[Probe], task: str) -> ProbeView | None:
    """The columns with failures first, then by their largest change; None where nothing was tried."""
    if not probes:
        return None
    columns: dict[str, dict[str, Probe]] = {}
    for one in probes:
        if one.column is not None:
            columns.setdefault(one.column, {})[one.name] = one
    ranked = sorted(columns.items(), key=lambda item: -max(gravity(one) for one in item[1].values()))
    names = list(dict.fromkeys(one.name for one in probes if one.column is not None))
    lines = [
        (column, [probe_cell(tried[name], task) if name in tried else None for name in names])
        for column, tried in ranked[:MOST_COLUMNS]
    ]
    whole = [(one.name, probe_cell(one, task)) for one in probes if one.column is None]
    return ProbeView(whole, names, lines, len(ranked) - len(lines))


def gravity(one: Probe) -> float:
    """How bad it is: no answer is the worst."""
    if one.failure is not None:
        return math.inf
    return one.change if one.change is not None and math.isfinite(one.change) else 0.0


def probe_cell(one: Probe, task: str) -> ProbeCell:
    if one.failure is not None:
        return ProbeCell("fails", 0, True, one.failure)
    if one.change is None or not math.isfinite(one.change):
        return ProbeCell(DASH, 0, False, "not measured")
    unit = "standard deviations of the answers" if task == "regression" else "of probability"
    said = f"{one.name}: the answers move by {number(one.change)} {unit} in the mean of {one.rows:,} rows"
    return ProbeCell(f"{one.change:.3f}", min(100, round(100 * one.change / HOT)), False, said)
