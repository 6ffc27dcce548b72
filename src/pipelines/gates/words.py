"""How numbers are written in reasons."""

from __future__ import annotations

from pipelines.records import Interval


def number(value: float) -> str:
    return f"{value:.4g}"


def span(interval: Interval) -> str:
    return f"{number(interval.value)} (95 % interval {number(interval.low)} to {number(interval.high)})"
