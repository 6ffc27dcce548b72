"""What a user brings to a judgment: a metric of their own, and what a prediction is worth in money."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from pipelines.errors import ConfigError
from pipelines.evaluation.comparing import Compared
from pipelines.evaluation.regression import plain
from pipelines.evaluation.resampling import Statistic

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

DRAWS = 400  # their standard error is known to 4 %
PER_ROWS = 1_000  # predictions that a value is stated for

# Rows with all columns of the data, `prediction` and `p_<class>`, to a number, or to a number for each.
Function = Callable[["pd.DataFrame"], Any]


def compare_own(name: str, function: Function, tables: Mapping[str, pd.DataFrame], seed: int = 0) -> Compared:
    """A metric of which nothing is known, higher for better, by the plain bootstrap of the same rows.

    `tables` have each model's answers to the same rows. Raises ConfigError where it gives no number.
    """
    import numpy as np

    rows, random = len(next(iter(tables.values()))), np.random.default_rng(seed)
    values = {model: number_of(name, function, table) for model, table in tables.items()}
    draws: dict[str, list[float]] = {model: [] for model in tables}
    for _ in range(DRAWS):
        picked = random.integers(0, rows, rows)
        for model, table in tables.items():
            draws[model].append(number_of(name, function, table.iloc[picked]))
    return Compared(name, rows, values, {model: np.array(found) for model, found in draws.items()}, {})


def number_of(name: str, function: Function, table: pd.DataFrame) -> float:
    found = function(table)
    try:
        return float(found)
    except (TypeError, ValueError) as error:
        raise ConfigError(
            f"evaluation.metrics: {name} gave {type(found).__name__}, not a number.", "Return a float."
        ) from error


def value_by_costs(
    costs: Mapping[str, Mapping[str, float]], truth: pd.Series, predictions: pd.DataFrame
) -> Statistic:
    """Money per 1,000 predictions by true and predicted class. Raises ConfigError where a pair is missing."""
    import numpy as np
    import pandas as pd

    pairs = pd.MultiIndex.from_arrays([truth.astype(str), predictions["prediction"].astype(str)])
    stated = pd.Series({(true, said): money for true, row in costs.items() for said, money in row.items()})
    money = stated.reindex(pairs)
    if money.isna().any():
        true, said = pairs[int(money.isna().to_numpy().argmax())]
        raise ConfigError(
            f"evaluation.value: nothing is stated for a row of class {true!r} that is called {said!r}.",
            "State the value of each true class with each predicted one, 0 where it is none.",
        )
    return plain(np.asarray(PER_ROWS * money, dtype=np.float64))


def value_by_function(function: Function, table: pd.DataFrame) -> NDArray[np.float64]:
    """What a user's function says each row is worth (n,). Raises ConfigError unless it is a number a row."""
    import numpy as np

    found = np.asarray(function(table), dtype="float64")
    if found.shape != (len(table),) or not np.isfinite(found).all():
        raise ConfigError(
            f"evaluation.value: of {len(table)} rows the function gave numbers of shape {found.shape},"
            f" {int((~np.isfinite(found)).sum())} of them not finite.",
            "Return a finite amount of money for each row.",
        )
    return found
