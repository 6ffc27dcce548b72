"""The geometry of the page's charts, in the units of the SVG's view box; colours belong to the template.

A window's bounds are event time. A promotion's moment is our own clock, which differs when the past is
replayed, so a marker stands at the end of the window that caused it, or where its version first scored.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from pipelines.records import WindowJudgment, WindowVerdict
from pipelines.reporting.story import Story
from pipelines.reporting.words import day, number, span

WIDTH, LEFT, RIGHT = 920, 58, 14
MARKERS, QUALITY, DRIFT, LANE, AXIS = 44, 180, 96, 24, 26  # heights of the panels, from above
GAP = 44
LABEL_WIDTH = 118  # room for a marker's label
WIDE = 44  # a window that wide carries its numbers in print

Scale = Callable[[float], float]


@dataclass(frozen=True)
class Tick:
    at: float
    label: str


@dataclass(frozen=True)
class WindowMark:
    """A window: its column of the chart, and where its points lie; None where nothing was measured."""

    x: float
    width: float
    middle: float
    verdict: WindowVerdict
    realised: float | None
    low: float | None
    high: float | None
    expected: float | None
    value: str
    value_y: float
    share_top: float | None
    share: str
    wide: bool
    title: str


@dataclass(frozen=True)
class LaneSpan:
    x: float
    width: float
    version: int
    shade: int
    title: str


@dataclass(frozen=True)
class Marker:
    x: float
    label_x: float
    anchor: str
    row: int
    kind: str  # "promoted" or "kept out"
    label: str
    title: str


@dataclass(frozen=True)
class Timeline:
    """Two small charts and a band of versions over one time axis."""

    width: int
    height: int
    left: float
    right: float
    quality_top: float
    quality_bottom: float
    drift_top: float
    drift_bottom: float
    lane_top: float
    lane_bottom: float
    windows: list[WindowMark]
    paths: list[str]
    lanes: list[LaneSpan]
    markers: list[Marker]
    quality_ticks: list[Tick]
    drift_ticks: list[Tick]
    time_ticks: list[Tick]


def linear(low: float, high: float, start: float, stop: float) -> Scale:
    width = (high - low) or 1.0
    return lambda value: round(start + (value - low) / width * (stop - start), 1)


def nice_ticks(low: float, high: float, most: int = 5) -> list[float]:
    """Round numbers that enclose low and high."""
    if not high > low:
        low, high = low - (abs(low) or 1) * 0.1, high + (abs(high) or 1) * 0.1
    raw = (high - low) / (most - 1)
    power = 10 ** math.floor(math.log10(raw))
    step = next(power * m for m in (1, 2, 2.5, 5, 10) if power * m >= raw * 0.999)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(i * step, 12) for i in range(first, last + 1)]


def with_room(low: float, high: float) -> tuple[float, float]:
    """A little more at both ends, for the numbers beside the points; what is never negative stays so."""
    room = 0.12 * (high - low)
    return (max(0.0, low - room) if low >= 0 else low - room), high + room / 2


def drift_share(window: WindowJudgment) -> float | None:
    """The share of the columns that drifted."""
    drift = window.measure.drift
    if drift is None or not drift.columns:
        return None
    return sum(column.drifted for column in drift.columns) / len(drift.columns)


def timeline(story: Story, windows: Sequence[WindowJudgment]) -> Timeline | None:
    """Lay out `windows`, which are in order of time; None where there are none."""
    if not windows:
        return None
    quality_top, drift_top = MARKERS, MARKERS + QUALITY + GAP
    lane_top = drift_top + DRIFT + GAP
    start, end = windows[0].measure.start, max(w.measure.end for w in windows)
    x = linear(start.timestamp(), end.timestamp(), LEFT, WIDTH - RIGHT)
    values = quality_values(windows)
    ticks = nice_ticks(*with_room(min(values), max(values))) if values else [0.0, 1.0]
    y = linear(ticks[0], ticks[-1], quality_top + QUALITY, quality_top)
    share = linear(0, 1, drift_top + DRIFT, drift_top)
    marks = [window_mark(w, x, y, share) for w in windows]
    return Timeline(
        width=WIDTH,
        height=lane_top + LANE + AXIS,
        left=LEFT,
        right=WIDTH - RIGHT,
        quality_top=quality_top,
        quality_bottom=quality_top + QUALITY,
        drift_top=drift_top,
        drift_bottom=drift_top + DRIFT,
        lane_top=lane_top,
        lane_bottom=lane_top + LANE,
        windows=marks,
        paths=quality_paths(marks),
        lanes=lane_spans(windows, x),
        markers=markers(story, windows, x),
        quality_ticks=[Tick(y(v), f"{v:,g}") for v in ticks] if values else [],
        drift_ticks=[Tick(share(v), f"{v:.0%}") for v in (0, 0.5, 1)],
        time_ticks=time_ticks(windows, x),
    )


def quality_values(windows: Sequence[WindowJudgment]) -> list[float]:
    """All that the quality panel has to make room for."""
    measured = [w.measure.quality for w in windows if w.measure.quality]
    values = [v for q in measured for v in (q.realised.low, q.realised.value, q.realised.high, q.expected)]
    return [v for v in values if math.isfinite(v)]


def window_mark(window: WindowJudgment, x: Scale, y: Scale, share: Scale) -> WindowMark:
    measure, drifted = window.measure, drift_share(window)
    where = span(measure.start, measure.end)
    left, right = x(measure.start.timestamp()), x(measure.end.timestamp())
    quality = measure.quality
    realised = y(quality.realised.value) if quality else 0.0
    known = quality is not None and all(map(math.isfinite, (quality.realised.value, quality.expected)))
    low, high = (quality.realised.low, quality.realised.high) if quality else (math.nan, math.nan)
    return WindowMark(
        x=left,
        width=round(right - left, 1),
        middle=round((left + right) / 2, 1),
        verdict=window.verdict,
        realised=realised if known else None,
        low=y(low) if known and math.isfinite(low) else None,
        high=y(high) if known and math.isfinite(high) else None,
        expected=y(quality.expected) if quality and known else None,
        value=number(quality.realised.value) if quality and known else "",
        value_y=value_height(realised, [y(v) for v in (low, high) if math.isfinite(v)], y(quality.expected))
        if quality and known
        else 0.0,
        share_top=None if drifted is None else share(drifted),
        share="" if drifted is None else f"{drifted:.0%}",
        wide=right - left >= WIDE,
        title=f"{where}, version {measure.version}: {window.verdict}. {window.reason}",
    )


def value_height(point: float, interval: Sequence[float], expected: float) -> float:
    """Where the number stands: clear of the interval, on the side away from the expected line."""
    if point > expected:
        return round(max([point, *interval]) + 15, 1)
    return round(min([point, *interval]) - 7, 1)


def quality_paths(windows: Sequence[WindowMark]) -> list[str]:
    """The points of unbroken runs of measured windows; a window without labels breaks the line."""
    runs: list[list[str]] = [[]]
    for window in windows:
        if window.realised is None:
            runs.append([])
        else:
            runs[-1].append(f"{window.middle},{window.realised}")
    return [" ".join(run) for run in runs if len(run) > 1]


def lane_spans(windows: Sequence[WindowJudgment], x: Scale) -> list[LaneSpan]:
    """Neighbouring windows that the same version scored, joined."""
    spans: list[LaneSpan] = []
    for window in windows:
        measure = window.measure
        left, right = x(measure.start.timestamp()), x(measure.end.timestamp())
        last = spans[-1] if spans else None
        if last and last.version == measure.version:
            spans[-1] = LaneSpan(last.x, round(right - last.x, 1), last.version, last.shade, last.title)
            continue
        shade = (last.shade + 1) % 3 if last else 0
        spans.append(
            LaneSpan(
                left, round(right - left, 1), measure.version, shade, f"version {measure.version} scored"
            )
        )
    return spans


def event_moment(
    cause: str | None, version: int | None, clock: datetime, windows: Sequence[WindowJudgment]
) -> datetime | None:
    """Where something of our own clock stands in event time; None where it has no place among the windows."""
    for window in windows:
        if cause is not None and window.cause == cause:
            return window.measure.end
    moment = clock.astimezone(UTC).replace(tzinfo=None) if clock.tzinfo else clock
    if windows[0].measure.start <= moment <= windows[-1].measure.end:
        return moment
    return next(
        (w.measure.start for w in windows if version is not None and w.measure.version == version), None
    )


def markers(story: Story, windows: Sequence[WindowJudgment], x: Scale) -> list[Marker]:
    """Promotions, and training runs that ended otherwise; labels that would collide go to the second row."""
    found: list[tuple[datetime, str, str, str]] = []
    for champion in story.champions:
        at = event_moment(champion.cause, champion.version, champion.since, windows)
        if at is not None:
            found.append((at, "promoted", f"v{champion.version} promoted", champion.why))
    for attempt in story.attempts:
        at = event_moment(attempt.cause_id, None, attempt.started, windows)
        if at is not None and attempt.status not in {"promoted", "reused", "unfinished"}:
            words = attempt.status.replace("_", " ")
            found.append((at, "kept-out", f"run {words}", f"attempt {attempt.id}: {words}. {attempt.cause}"))
    placed: list[Marker] = []
    free = [-math.inf, -math.inf]
    for at, kind, label, title in sorted(found):
        spot = x(at.timestamp())
        left_side = spot + LABEL_WIDTH > WIDTH
        begin = spot - LABEL_WIDTH if left_side else spot
        shown = label if begin >= min(free) else ""  # the line and its title remain
        row = 0 if begin >= free[0] or free[0] <= free[1] else 1
        free[row] = begin + LABEL_WIDTH
        placed.append(
            Marker(
                spot,
                spot - 6 if left_side else spot + 6,
                "end" if left_side else "start",
                row,
                kind,
                shown,
                title,
            )
        )
    return placed


def time_ticks(windows: Sequence[WindowJudgment], x: Scale, room: float = 82) -> list[Tick]:
    """The first day of as many windows as there is room for, with the year where it is new."""
    ticks: list[Tick] = []
    year = 0
    for window in windows:
        start = window.measure.start
        at = x(start.timestamp())
        if ticks and at - ticks[-1].at < room:
            continue
        hours = f" {start:%H:%M}" if window.measure.end - start < timedelta(days=1) else ""
        ticks.append(Tick(at, day(start) + (f" {start.year}" if start.year != year else hours)))
        year = start.year
    return ticks
