"""Columns that give the answer away: known only when the target is, so useless for predicting it."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

RANK = 0.95  # |Spearman| with a number from which a column is not believed
AREA = 0.99  # area under the ROC curve of one column alone, for a class
PURITY = 0.995  # share of rows whose class a category alone tells
MOST_PAIRED = 60  # pairs grow with the square; beyond so many columns those nearest to the target are paired


def find_leaks(columns: dict[str, pd.Series[Any]], target: pd.Series[Any]) -> dict[str, str]:
    """Why each suspicious column is one; numbers are float64, categories str, the target either."""
    import pandas as pd

    known = target.notna()
    target = target[known]
    columns = {name: values[known] for name, values in columns.items()}
    numbers = {name: values for name, values in columns.items() if pd.api.types.is_float_dtype(values.dtype)}
    if len(target) < 20:
        return {}
    if pd.api.types.is_float_dtype(target.dtype):
        leaks = rank_leaks(numbers, target)
        return leaks | sum_leaks(numbers, target)
    categories = {name: values for name, values in columns.items() if name not in numbers}
    return area_leaks(numbers, target) | purity_leaks(categories, target)


def rank_leaks(numbers: dict[str, pd.Series[Any]], target: pd.Series[Any]) -> dict[str, str]:
    ranks = {
        name: abs(values.rank().corr(target.rank()))
        for name, values in numbers.items()
        if values.count() > 20
    }
    return {
        name: f"a likely leak: it rises and falls with the target (rank correlation {value:.3f})"
        for name, value in ranks.items()
        if value >= RANK
    }


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
        for sign, value in (
            ("+", full[a] + full[b]),
            ("-", full[a] - full[b]),
            ("-", full[b] - full[a]),
            ("*", full[a] * full[b]),
        ):
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


def area_leaks(numbers: dict[str, pd.Series[Any]], target: pd.Series[Any]) -> dict[str, str]:
    """Numbers, or their absence, that alone tell one class from the others."""
    leaks = {}
    for name, values in numbers.items():
        value = max(area(values, target), area(values.isna().astype("float64"), target))
        if value >= AREA:
            leaks[name] = (
                f"a likely leak: alone it tells a class from the others (area under the curve {value:.3f})"
            )
    return leaks


def area(values: pd.Series[Any], target: pd.Series[Any]) -> float:
    """The area under the ROC curve for the class that the column tells best, from 0.5 to 1."""
    there = values.notna()
    ranks, labels = values[there].rank(), target[there]
    best = 0.5
    for label, count in labels.value_counts().items():
        others = len(labels) - int(count)
        if count >= 10 and others >= 10:
            won = float(ranks[labels == label].sum()) - count * (count + 1) / 2
            best = max(best, won / (count * others), 1 - won / (count * others))
    return best


def purity_leaks(categories: dict[str, pd.Series[Any]], target: pd.Series[Any]) -> dict[str, str]:
    """Categories each of which has one class only, though the classes are mixed in the table."""
    mixed = float(target.value_counts(normalize=True).iloc[0]) <= 0.97
    leaks = {}
    for name, values in categories.items():
        pairs = target.groupby([values.fillna(""), target]).size()
        pure = float(pairs.groupby(level=0).max().sum()) / len(target)
        if mixed and pure >= PURITY and values.nunique() <= 0.05 * len(target):
            leaks[name] = f"a likely leak: alone it tells the class of {pure:.1%} of the rows"
    return leaks
