"""How numbers and names are written in reasons, and what several verdicts make together."""

from __future__ import annotations

from collections.abc import Collection

from pipelines.records import Interval, Verdict


def number(value: float) -> str:
    return f"{value:.4g}"


def span(interval: Interval) -> str:
    return f"{number(interval.value)} (95 % interval {number(interval.low)} to {number(interval.high)})"


def listed(names: list[str], most: int = 4) -> str:
    """`a, b, c, d and 3 more`."""
    shown = ", ".join(names[:most])
    return f"{shown} and {len(names) - most} more" if len(names) > most else shown


def worst(verdicts: Collection[Verdict]) -> Verdict:
    """`fail` if any of them is, else `inconclusive` if any is, else `pass`."""
    return "fail" if "fail" in verdicts else "inconclusive" if "inconclusive" in verdicts else "pass"
