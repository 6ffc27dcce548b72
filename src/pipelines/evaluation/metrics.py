"""The metrics, each a function of true values and predictions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pipelines.config import METRICS
from pipelines.records import Task

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

LOSSES = frozenset({"rmse", "mae", "log_loss"})


def higher_is_better(metric: str) -> bool:
    return metric not in LOSSES


def score_metric(metric: str, target: pd.Series, predictions: pd.DataFrame) -> float:  # noqa: PLR0911
    """One metric of the true values and the predictions.

    `predictions` has `prediction` and, for classes, `p_<class>`; the positive class is the last in order.
    """
    from sklearn import metrics

    predicted = predictions["prediction"]
    if metric == "rmse":
        return float(metrics.root_mean_squared_error(target, predicted))
    if metric == "mae":
        return float(metrics.mean_absolute_error(target, predicted))
    if metric == "r2":
        return float(metrics.r2_score(target, predicted))
    if metric == "accuracy":
        return float((target.to_numpy() == predicted.to_numpy()).mean())
    classes = [c.removeprefix("p_") for c in predictions.columns if c.startswith("p_")]
    if metric == "f1":
        if len(classes) == 2:
            return float(metrics.f1_score(target, predicted, pos_label=classes[-1], zero_division=0))
        return float(metrics.f1_score(target, predicted, average="macro", zero_division=0))
    probabilities = predictions[[f"p_{c}" for c in classes]].to_numpy()
    if metric == "log_loss":
        return log_loss(target.to_numpy(), probabilities, classes)
    positive = target.to_numpy() == classes[-1]
    if positive.all() or not positive.any():
        return float("nan")  # AUC has no meaning where one class is absent
    return float(metrics.roc_auc_score(positive, probabilities[:, -1]))


def log_loss(target: NDArray[Any], probabilities: NDArray[np.float64], classes: list[str]) -> float:
    """Mean -log of the true class's probability, which is 0 for a class never seen; scikit-learn's raises."""
    import numpy as np
    import pandas as pd

    codes = pd.Categorical(target, categories=classes).codes
    given = np.where(codes >= 0, probabilities[np.arange(len(codes)), codes], 0.0)
    return float(-np.log(np.clip(given, np.finfo(np.float64).eps, 1.0)).mean())


def score_all(task: Task, target: pd.Series, predictions: pd.DataFrame) -> dict[str, float]:
    """Every metric of the task."""
    return {metric: score_metric(metric, target, predictions) for metric in METRICS[task]}
