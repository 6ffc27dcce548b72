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


def score_metric(metric: str, target: pd.Series, predictions: pd.DataFrame) -> float:
    """One metric of the true values and the predictions.

    `predictions` has `prediction` and, for classes, `p_<class>`; the positive class is the last in order.

    As in scikit-learn, whose checks of every argument would be nine tenths of the time of a bootstrap.
    """
    truth, predicted = target.to_numpy(), predictions["prediction"].to_numpy()
    if metric in METRICS["regression"]:
        return score_values(metric, truth, predicted)
    classes = [c.removeprefix("p_") for c in predictions.columns if c.startswith("p_")]
    if metric == "accuracy":
        return float((truth == predicted).mean())
    if metric == "f1":
        return f1(truth, predicted, classes)
    probabilities = predictions[[f"p_{c}" for c in classes]].to_numpy()
    return (
        log_loss(truth, probabilities, classes)
        if metric == "log_loss"
        else auc(truth == classes[-1], probabilities[:, -1])
    )


def score_values(metric: str, truth: NDArray[Any], predicted: NDArray[Any]) -> float:
    """rmse, mae or r2."""
    import numpy as np

    errors = truth - predicted
    if metric == "mae":
        return float(np.abs(errors).mean())
    squares = float((errors**2).mean())
    if metric == "rmse":
        return float(np.sqrt(squares))
    spread = float(truth.var())
    return 1 - squares / spread if spread else float(squares == 0)


def auc(positive: NDArray[np.bool_], score: NDArray[np.float64]) -> float:
    """How often a positive row is ranked above another; it has no meaning where one class is absent."""
    from scipy.stats import rankdata

    count = int(positive.sum())
    if count in (0, len(positive)):
        return float("nan")
    above = rankdata(score)[positive].sum() - count * (count + 1) / 2
    return float(above / (count * (len(positive) - count)))


def f1(truth: NDArray[Any], predicted: NDArray[Any], classes: list[str]) -> float:
    """F1 of the positive class where there are two, else the mean over the classes that occur."""
    import numpy as np
    import pandas as pd

    names = classes[-1:] if len(classes) == 2 else list(pd.unique(np.concatenate([truth, predicted])))
    scores = []
    for name in names:
        is_it, said = truth == name, predicted == name
        total = int(is_it.sum()) + int(said.sum())
        scores.append(2 * int((is_it & said).sum()) / total if total else 0.0)
    return float(np.mean(scores))


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
