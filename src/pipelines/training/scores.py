"""The pipeline's metric on the validation rows, in torch, where they are.

The same definitions as `evaluation.metrics`, which judges the model; a test holds them together.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

    from pipelines.models.bundle import Description


def predicted(outputs: Tensor, description: Description) -> Tensor:
    """Values (batch,) of a regression or probabilities (batch, classes), mean of an ensemble's members."""
    outputs = outputs.float()
    if description.task == "regression":
        return outputs[..., 0].mean(1) if outputs.dim() == 3 else outputs[:, 0]
    probabilities = outputs.softmax(-1)
    return probabilities.mean(1) if outputs.dim() == 3 else probabilities


def score(metric: str, found: Tensor, target: Tensor, description: Description) -> float:
    """`metric` of what `predicted` gives and the loop's target; errors of values in the target's unit."""
    found, target = found.double(), target.double() if description.task == "regression" else target
    if description.task == "regression":
        return regression_score(metric, found, target, description.scale)
    if metric == "accuracy":
        return float((found.argmax(1) == target).double().mean())
    two = description.task == "binary"  # that the model knows two classes says nothing of the task
    if metric == "f1":
        return f1(found.argmax(1), target, two)
    if metric == "auc" and two:
        return auc(target == 1, found[:, 1])
    return log_loss(found, target) if metric == "log_loss" else class_score(metric, found, target, two)


def class_score(metric: str, found: Tensor, target: Tensor, two: bool) -> float:
    """What torch has no quick way to: by the evaluation's own function, on the host."""
    import numpy as np

    from pipelines.evaluation.classification import Answers, statistic

    shares, truth = found.cpu().numpy(), target.cpu().numpy().astype("int64")
    known = shares.shape[1]
    truth = np.where(truth < 0, known, truth)  # a class that was never seen in training
    names = [str(number) for number in range(known + 1)]
    measured = statistic(metric, Answers(truth, shares.argmax(axis=1), shares, names, two))
    return math.nan if measured is None else measured.value


def regression_score(metric: str, found: Tensor, target: Tensor, scale: float) -> float:
    errors = found - target
    if metric == "mae":
        return float(errors.abs().mean()) * scale
    squares, spread = float(errors.square().mean()), float(target.var(correction=0))
    if metric == "rmse":
        return math.sqrt(squares) * scale
    return 1 - squares / spread if spread else float(squares == 0)


def auc(positive: Tensor, found: Tensor) -> float:
    """How often a positive row is ranked above another, a tie counts half; NaN where one class is absent."""
    import torch

    _, place, counts = torch.unique(found, return_inverse=True, return_counts=True)
    last = counts.cumsum(0).double()
    ranks = (last - (counts.double() - 1) / 2)[place]
    count = int(positive.sum())
    if count in (0, len(positive)):
        return float("nan")
    above = float(ranks[positive].sum()) - count * (count + 1) / 2
    return above / (count * (len(positive) - count))


def f1(said: Tensor, target: Tensor, two: bool) -> float:
    """F1 of the positive class of two, else the mean over the classes that occur."""
    import torch

    names = [1] if two else torch.unique(torch.cat([said, target])).tolist()
    scores = []
    for name in names:
        total = int((target == name).sum()) + int((said == name).sum())
        scores.append(2 * int(((target == name) & (said == name)).sum()) / total if total else 0.0)
    return sum(scores) / len(scores)


def log_loss(found: Tensor, target: Tensor) -> float:
    """Mean -log of the true class's probability, which is 0 for a class never seen."""
    import torch

    given = found.gather(1, target.clamp(min=0)[:, None])[:, 0]
    given = torch.where(target >= 0, given, torch.zeros_like(given))
    return float(-given.clamp(min=torch.finfo(torch.float64).eps).log().mean())
