"""Stored numbers to judge."""

from __future__ import annotations

from statistics import NormalDist

from pipelines.records import LEVELS, Comparison, Difference


def difference(value: float, error: float, rows: int = 100, rests_on: float = 30) -> Difference:
    """Of a normal estimate: its bounds are its value and so many errors."""
    bounds = [value + error * NormalDist().inv_cdf(level) for level in LEVELS]
    low, high = bounds[LEVELS.index(0.025)], bounds[LEVELS.index(0.975)]
    counted = {"rows": rows, "error": error, "rests_on": rests_on}
    return Difference(value=value, low=low, high=high, bounds=bounds, **counted)


def compared(found: Difference, champion: float = 10.0, value: float = 10.0) -> Comparison:
    return Comparison(
        champion_version=4,
        rows=found.rows,
        metrics={"rmse": value},
        champion_metrics={"rmse": champion},
        differences={"rmse": found},
    )
