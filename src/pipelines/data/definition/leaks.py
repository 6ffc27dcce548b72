"""Columns that give the answer away: known only when the target is, so useless for predicting it."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING, Any

from pipelines.config import LeakGate

if TYPE_CHECKING:
    import pandas as pd

LEAST = 20  # rows that say anything
DOUBTED = 0.9  # of the target told by one column: a person is asked, as it may well be honest
MOST_PAIRED = 60  # pairs grow with the square; beyond so many columns those nearest to the target are paired


def find_leaks(
    columns: dict[str, pd.Series[Any]], target: pd.Series[Any]
) -> tuple[dict[str, str], dict[str, str]]:
    """Why each column is a leak, and of others why they may be; numbers are float64, categories str, the
    target either.

    A leak is what the gate of that name would not let pass: a column that tells all of the target by itself.
    """
    import pandas as pd

    from pipelines.leakage import skill_alone

    known = target.notna()
    target = target[known]
    if len(target) < LEAST:
        return {}, {}
    table = pd.DataFrame({name: values[known] for name, values in columns.items()}, index=target.index)
    of_numbers = pd.api.types.is_float_dtype(target.dtype)
    alone = skill_alone(table, target, "regression" if of_numbers else "multiclass", list(columns))
    most = LeakGate().most
    leaks = {
        name: f"a likely leak: it tells {told:.3f} of the target by itself"
        for name, told in alone.items()
        if told >= most
    }
    doubted = {
        name: f"tells {told:.3f} of the target by itself: is it known when a prediction is asked for?"
        for name, told in alone.items()
        if DOUBTED <= told < most
    }
    if of_numbers:
        numbers = {name: table[name] for name in columns if pd.api.types.is_float_dtype(table[name].dtype)}
        leaks |= sum_leaks(numbers, target)
    return leaks, {name: why for name, why in doubted.items() if name not in leaks}


def sum_leaks(numbers: dict[str, pd.Series[Any]], target: pd.Series[Any]) -> dict[str, str]:
    """Pairs of columns whose sum, difference or product is the target."""
    import numpy as np

    full = {
        name: values.to_numpy()
        for name, values in numbers.items()
        if values.notna().mean() > 0.9 and values.nunique() > 2
    }
    nearest = sorted(full, key=lambda name: -abs(float(np.nan_to_num(numbers[name].corr(target)))))[
        :MOST_PAIRED
    ]
    wanted = target.to_numpy()
    leaks: dict[str, str] = {}
    for a, b in combinations(nearest, 2):
        with np.errstate(over="ignore"):
            made = (
                ("+", full[a] + full[b]),
                ("-", full[a] - full[b]),
                ("-", full[b] - full[a]),
                ("*", full[a] * full[b]),
            )
        for sign, value in made:
            if agrees(value, wanted):
                formula = (
                    f"{b} - {a}" if sign == "-" and agrees(full[b] - full[a], wanted) else f"{a} {sign} {b}"
                )
                leaks |= dict.fromkeys((a, b), f"a leak: {formula} is the target")
    return leaks


def agrees(value: Any, wanted: Any) -> bool:
    """Whether two arrays are the same in all but 1 of 1000 of the places where there is a value."""
    import numpy as np

    start = np.isclose(value[:50], wanted[:50], rtol=1e-6, atol=1e-9) | np.isnan(value[:50])
    if not start.mean() > 0.9:
        return False
    there = ~np.isnan(value)
    return bool(
        there.mean() > 0.5 and np.isclose(value[there], wanted[there], rtol=1e-6, atol=1e-9).mean() >= 0.999
    )
