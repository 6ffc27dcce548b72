"""The metrics by name: which a task has, which way is better, and each as a statistic of the rows."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from pipelines.config import MEASURED
from pipelines.records import Task

if TYPE_CHECKING:
    import pandas as pd

    from pipelines.evaluation.classification import Answers
    from pipelines.evaluation.regression import Values
    from pipelines.evaluation.resampling import Statistic

LOSSES = frozenset({"rmse", "mae", "mape", "pinball", "log_loss", "brier", "ece"})
OF_LABELS = frozenset({"accuracy", "balanced_accuracy", "f1", "coverage", "value"})
SHARES = frozenset({"auc", "pr_auc", "accuracy", "balanced_accuracy", "f1", "ece", "coverage"})


def higher_is_better(metric: str) -> bool:
    """Of a metric of one's own, too: who brings a loss gives its negative."""
    return metric not in LOSSES


def metric_range(metric: str) -> tuple[float, float]:
    """The least and the greatest value it can have."""
    if metric in SHARES:
        return 0.0, 1.0
    return (0.0 if metric in LOSSES else -math.inf), (1.0 if metric == "r2" else math.inf)


def read_rows(task: Task, target: pd.Series, predictions: pd.DataFrame) -> Values | Answers:
    """True values and a model's answers as arrays, which all its metrics are made from."""
    from pipelines.evaluation import classification, regression

    if task == "regression":
        return regression.read_values(target, predictions)
    return classification.read_answers(task, target, predictions)


def find_statistic(metric: str, rows: Values | Answers) -> Statistic | None:
    """A metric of the task; None where it has no meaning for these rows and this model."""
    from pipelines.evaluation import classification, regression

    if isinstance(rows, regression.Values):
        return regression.statistic(metric, rows)
    return classification.statistic(metric, rows)


def score_metric(task: Task, metric: str, target: pd.Series, predictions: pd.DataFrame) -> float:
    """One metric of the true values and the predictions; NaN where these give it no meaning.

    `predictions` has `prediction` and, for classes, `p_<class>`; the positive class is the last in order.
    """
    found = find_statistic(metric, read_rows(task, target, predictions))
    return math.nan if found is None else found.value


def score_all(task: Task, target: pd.Series, predictions: pd.DataFrame) -> dict[str, float]:
    """Every metric of the task that has a finite value."""
    found = {name: s.value for name, s in read_statistics(task, target, predictions).items()}
    return {name: value for name, value in found.items() if math.isfinite(value)}


def read_statistics(task: Task, target: pd.Series, predictions: pd.DataFrame) -> dict[str, Statistic]:
    """Every metric of the task that has a meaning for these rows and this model."""
    rows = read_rows(task, target, predictions)
    found = {metric: find_statistic(metric, rows) for metric in MEASURED[task]}
    return {metric: s for metric, s in found.items() if s is not None}
