"""The trials of a tuning as parallel coordinates: an axis for each setting and one for the loss."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from pipelines.records import Trial
from pipelines.reporting.charts import Scale, Tick, linear
from pipelines.reporting.templates import page_template
from pipelines.reporting.words import number

WIDTH, LEFT, RIGHT = 920, 70, 60
TOP, HEIGHT, BOTTOM = 40, 250, 24
MOST_LINES = 200  # more would be a carpet; the best are shown
MOST_ROWS = 50  # of the table
ROOM = 12  # between two labels
FAR = 20  # from so many times on, a scale is by the logarithm
LOSS = "validation loss"
SYMBOLS = {"finished": "✓", "stopped early": "◦", "failed": "✕", "running": "…"}
CHIPS = {"finished": "pass", "stopped early": "none", "failed": "fail", "running": "inconclusive"}


@dataclass(frozen=True)
class Axis:
    x: float
    label: str
    ticks: list[Tick]


@dataclass(frozen=True)
class Line:
    points: str
    kind: str  # "best", "finished" or "stopped"
    title: str
    dots: list[tuple[float, float, str]]  # of the best trial: where its values are written


@dataclass(frozen=True)
class Parallel:
    """Axes from left to right, and a line for each trial; the best one last, on top of the others."""

    width: int
    height: int
    top: float
    bottom: float
    axes: list[Axis]
    lines: list[Line]


def ranked(trials: Sequence[Trial]) -> list[Trial]:
    """The best first; those that failed last."""
    return sorted(trials, key=lambda t: (t.status == "failed", t.best is None, t.best or 0.0, t.number))


def parallel(trials: Sequence[Trial]) -> Parallel | None:
    """Lay out the trials that have a loss; None where there are fewer than two."""
    shown = [t for t in ranked(trials) if t.best is not None and t.status != "failed"][:MOST_LINES]
    if len(shown) < 2:
        return None
    names = [*dict.fromkeys(name for trial in shown for name in trial.settings), LOSS]
    gap = (WIDTH - LEFT - RIGHT) / (len(names) - 1)
    scales, axes = [], []
    for place, name in enumerate(names):
        scale, ticks = value_axis([value_of(trial, name) for trial in shown], lowest_on_top=name == LOSS)
        scales.append(scale)
        axes.append(Axis(round(LEFT + place * gap, 1), name.replace("_", " "), ticks))
    lines = [trial_line(trial, names, axes, scales, best=trial is shown[0]) for trial in reversed(shown)]
    axes = [clear_of(axis, spot[1]) for axis, spot in zip(axes, lines[-1].dots, strict=True)]
    return Parallel(WIDTH, TOP + HEIGHT + BOTTOM, TOP, TOP + HEIGHT, axes, lines)


def clear_of(axis: Axis, y: float) -> Axis:
    """The axis without labels where the best trial has its own."""
    return replace(axis, ticks=[tick for tick in axis.ticks if abs(tick.at - y) > ROOM])


def value_of(trial: Trial, name: str) -> Any:
    return trial.best if name == LOSS else trial.settings.get(name)


def value_axis(values: Sequence[Any], lowest_on_top: bool = False) -> tuple[Scale, list[Tick]]:
    """Where each value stands, and the labels: words evenly, numbers evenly or by their logarithm."""
    start, stop = (TOP, TOP + HEIGHT) if lowest_on_top else (TOP + HEIGHT, TOP)
    if not all(isinstance(v, int | float) and math.isfinite(v) for v in values):
        words = sorted({str(v) for v in values})
        place = linear(0, len(words) - 1, start, stop)
        return lambda v: place(words.index(str(v))), [Tick(place(i), w) for i, w in enumerate(words)]
    low, high = min(values), max(values)
    if low == high:
        middle = TOP + HEIGHT / 2
        return lambda _: middle, [Tick(middle, label(low))]
    if low > 0 and high / low > FAR:
        by_log = linear(math.log10(low), math.log10(high), start, stop)
        marks = [low, math.sqrt(low * high), high]
        return lambda v: by_log(math.log10(v)), [Tick(by_log(math.log10(v)), label(v)) for v in marks]
    even = linear(low, high, start, stop)
    return even, [Tick(even(v), label(v)) for v in (low, (low + high) / 2, high)]


def label(value: Any) -> str:
    """Numbers in three digits; whole ones as they are."""
    if isinstance(value, str) or value is None:
        return str(value)
    if float(value).is_integer() and abs(value) < 1e6:
        return f"{int(value):,}"
    return f"{value:.1e}" if 0 < abs(value) < 1e-3 else number(float(value)).rstrip("0").rstrip(".")


def trial_line(
    trial: Trial, names: Sequence[str], axes: Sequence[Axis], scales: Sequence[Scale], best: bool
) -> Line:
    spots = [
        (axis.x, float(scale(value_of(trial, name))), label(value_of(trial, name)))
        for name, axis, scale in zip(names, axes, scales, strict=True)
    ]
    kind = "best" if best else "stopped" if trial.status == "stopped early" else "finished"
    title = f"trial {trial.number}, {trial.status}: {LOSS} {label(trial.best)}; {settings_words(trial)}"
    return Line(" ".join(f"{x},{y:g}" for x, y, _ in spots), kind, title, spots if best else [])


def settings_words(trial: Trial) -> str:
    return ", ".join(f"{name} {label(value)}" for name, value in trial.settings.items())


def tuning_view(trials: Sequence[Trial]) -> dict[str, Any]:
    """What the template `tuning.html.j2` shows."""
    rows = ranked(trials)
    return {
        "trials": rows[:MOST_ROWS],
        "total": len(rows),
        "counts": {s: sum(t.status == s for t in rows) for s in SYMBOLS if any(t.status == s for t in rows)},
        "names": list(dict.fromkeys(name for trial in rows for name in trial.settings)),
        "plot": parallel(rows),
        "symbols": SYMBOLS,
        "chips": CHIPS,
        "label": label,
    }


def render_tuning(title: str, trials: Sequence[Trial]) -> str:
    """The trials as a page of their own, complete in itself."""
    return page_template("pipelines.reporting", "tuning_page.html.j2").render(
        title=title, tuning=tuning_view(trials)
    )
