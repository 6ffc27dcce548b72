"""Metrics with their intervals, beside champion and baselines, and by how much the model is better."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pipelines.evaluation.metrics import higher_is_better
from pipelines.records import Comparison, Evaluation, Interval
from pipelines.reporting.model.strips import Point, Strip, ruler, words
from pipelines.reporting.words import number, with_interval

SHAPES = ("other0", "other1", "other2")  # of baselines, one after the other


@dataclass(frozen=True)
class Column:
    """Another model: its name, how it is drawn, and its metrics."""

    name: str
    kind: str
    metrics: Mapping[str, float]


@dataclass(frozen=True)
class MetricLine:
    """A metric on its strip, and beside each mark, from the top, whose it is: kind, name and value."""

    name: str
    main: bool
    higher: bool
    value: str
    interval: str
    others: list[tuple[str, str, str]]
    strip: Strip


@dataclass(frozen=True)
class DifferenceLine:
    """By how much the model is better than another in a metric; above 0 it is."""

    against: str
    metric: str
    main: bool
    value: str
    interval: str
    verdict: tuple[str, str, str]  # class, symbol, words
    strip: Strip


def other_models(evaluation: Evaluation) -> list[Column]:
    """Champion, with this model on its rows where these are fewer, and baselines, as far as they have any
    metric.
    """
    found: list[Column] = []
    compared = evaluation.comparison
    if compared and compared.champion_metrics:
        on = f", on {compared.rows:,} rows" if compared.beside else ""
        found.append(Column(f"this model{on}", "own", compared.beside))
        found.append(Column(champion_name(compared) + on, "champion", compared.champion_metrics))
    for i, baseline in enumerate(evaluation.baselines):
        found.append(Column(baseline.name, SHAPES[min(i, len(SHAPES) - 1)], baseline.metrics))
    return found


def champion_name(compared: Comparison) -> str:
    return f"champion, version {compared.champion_version}"


def metric_lines(evaluation: Evaluation) -> list[MetricLine]:
    """Every metric that has a value, the definition's own first."""
    others = other_models(evaluation)
    names = sorted(evaluation.metrics, key=lambda name: name != evaluation.metric)
    return [metric_line(evaluation, name, others) for name in names]


def metric_line(evaluation: Evaluation, name: str, others: Sequence[Column]) -> MetricLine:
    own, known = own_point(evaluation, name), [other for other in others if name in other.metrics]
    points = [own] + [
        Point(other.metrics[name], kind=other.kind, title=f"{other.name}: {number(other.metrics[name])}")
        for other in known
    ]
    value, interval = words(own)
    places = decimals(value)
    return MetricLine(
        name=name,
        main=name == evaluation.metric,
        higher=higher_is_better(name),
        value=value,
        interval=interval,
        others=[(other.kind, other.name, rounded(other.metrics[name], places)) for other in known],
        strip=ruler(points).strip(points),
    )


def own_point(evaluation: Evaluation, name: str) -> Point:
    value = evaluation.metrics[name]
    interval = evaluation.intervals.get(name) or Interval(value=value, low=math.nan, high=math.nan)
    return Point(value, interval.low, interval.high, "own", f"this model: {number(value)}")


def decimals(text: str) -> int:
    return len(text.partition(".")[2]) if "e" not in text else -1


def rounded(value: float, places: int) -> str:
    """As many decimals as the value beside it has, where that is a plain number."""
    if not math.isfinite(value) or places < 0 or abs(value) >= 1e9:
        return number(value)
    text = f"{value:,.{places}f}"
    return text if text.strip("-0.,") else text.removeprefix("-")  # no "-0.00"


# -------------------------------------------------------------------------------------------- differences


def difference_lines(evaluation: Evaluation) -> list[DifferenceLine]:
    """Against the champion in every metric, against the baselines in the definition's own."""
    main, found = evaluation.metric, list[DifferenceLine]()
    if evaluation.comparison:
        differences = evaluation.comparison.differences
        for name in sorted(differences, key=lambda name: name != main):
            line = difference_line(
                champion_name(evaluation.comparison), name, differences[name], name == main
            )
            found.append(line)
    for baseline in evaluation.baselines:
        if main in baseline.differences:
            found.append(difference_line(baseline.name, main, baseline.differences[main], main=True))
    return found


def difference_line(against: str, metric: str, difference: Interval, main: bool) -> DifferenceLine:
    value, low, high = with_interval(difference.value, difference.low, difference.high)
    point = Point(difference.value, difference.low, difference.high, "own", f"better by {value}")
    return DifferenceLine(
        against=against,
        metric=metric,
        main=main,
        value=signed(value, difference.value),
        interval=f"{low} to {high}",
        verdict=verdict_of(difference),
        strip=ruler([point], reference=0.0).strip([point]),
    )


def signed(text: str, value: float) -> str:
    return f"+{text}" if value > 0 and math.isfinite(value) else text


def verdict_of(difference: Interval) -> tuple[str, str, str]:
    """What a 95 % interval of a difference says; a gate may ask something else."""
    if difference.low > 0:
        return "pass", "✓", "better"
    if difference.high < 0:
        return "fail", "✕", "worse"
    if difference.low == difference.high == 0:
        return "none", "=", "the same"
    return "none", "○", "no clear difference"
