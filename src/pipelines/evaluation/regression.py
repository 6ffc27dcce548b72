"""Regression metrics as statistics of the rows, each as scikit-learn defines it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipelines.evaluation.proportions import Ends, share_ends
from pipelines.evaluation.resampling import Chances, Statistic

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

NEAR_ZERO = 0.01  # share of the mean target below which a percentage of a target says nothing


@dataclass(frozen=True)
class Values:
    """True and predicted values (n,), and the predicted quantiles by their level, where there are any."""

    truth: NDArray[np.float64]
    predicted: NDArray[np.float64]
    quantiles: dict[float, NDArray[np.float64]]


def read_values(target: pd.Series, predictions: pd.DataFrame) -> Values:
    """`predictions` has `prediction` and, of a model with quantiles, `q_<level>`."""
    columns = {name: predictions[name].to_numpy("float64") for name in predictions.columns}
    quantiles = {float(name[2:]): column for name, column in columns.items() if name.startswith("q_")}
    return Values(target.to_numpy("float64"), columns["prediction"], dict(sorted(quantiles.items())))


def statistic(metric: str, values: Values) -> Statistic | None:
    """A metric of MEASURED["regression"]; None where these values give it no meaning."""
    makers = {"rmse": rmse, "mae": mae, "mape": mape, "r2": r2, "pinball": pinball, "coverage": coverage}
    return makers[metric](values)


def rmse(values: Values) -> Statistic:
    import numpy as np

    def root(means: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.sqrt(np.maximum(means[..., 0], 0.0))  # the normal part of a resample may pass below 0

    return Statistic(((values.truth - values.predicted) ** 2)[:, None], root)


def mae(values: Values) -> Statistic:
    import numpy as np

    return plain(np.abs(values.truth - values.predicted))


def mape(values: Values) -> Statistic | None:
    """As a share, 0.1 for 10 %; None where a target is 0, nearly so, or of another sign than the others."""
    import numpy as np

    size = np.abs(values.truth)
    one_sign = bool((values.truth > 0).all() or (values.truth < 0).all())
    if not one_sign or size.min() < NEAR_ZERO * size.mean():
        return None
    return plain(np.abs(values.truth - values.predicted) / size)


def r2(values: Values) -> Statistic:
    """1 - squared errors over the target's variance; 1 or 0 where the target is one value."""
    import numpy as np

    centred = values.truth - values.truth.mean()
    parts = np.column_stack([(values.truth - values.predicted) ** 2, centred, centred**2])

    def share(means: NDArray[np.float64]) -> NDArray[np.float64]:
        spread = means[..., 2] - means[..., 1] ** 2
        some = spread > 0
        return np.where(some, 1 - means[..., 0] / np.where(some, spread, 1.0), means[..., 0] == 0)

    return Statistic(parts, share)


def pinball(values: Values) -> Statistic | None:
    """Mean pinball loss over the predicted quantiles; None of a model without any."""
    import numpy as np

    if not values.quantiles:
        return None
    errors = [(values.truth - column, level) for level, column in values.quantiles.items()]
    return plain(np.mean([np.maximum(level * e, (level - 1) * e) for e, level in errors], axis=0))


def coverage(values: Values) -> Statistic | None:
    """Share of targets between the lowest and the highest predicted quantile; None with fewer than two."""
    if len(values.quantiles) < 2:
        return None
    low, *_, high = values.quantiles.values()
    inside = (low <= values.truth) & (values.truth <= high)
    return plain(inside.astype("float64"), ends=share_ends(inside))


def plain(column: NDArray[np.float64], ends: Ends | None = None, chances: Chances | None = None) -> Statistic:
    """A metric that is the mean of a number a row."""
    return Statistic(column[:, None], lambda means: means[..., 0], ends, chances)
