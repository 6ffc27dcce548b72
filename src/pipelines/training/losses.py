"""What a network is trained to make small: the loss of each row, for single networks and for ensembles."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.config import Training
from pipelines.models.custom import own_loss

if TYPE_CHECKING:
    from torch import Tensor

    from pipelines.models.bundle import Description

    Losses = Callable[[Tensor, Tensor], Tensor]

LEAST = 1e-7  # probability that a model's answer counts as, at least: a certain error is no infinite one
FOCUS = 2.0  # how much less a row counts that is right already: gamma of Lin et al. 2017, Focal Loss


def row_losses(
    outputs: Tensor, target: Tensor, description: Description, training: Training, bundle: Path
) -> Tensor:
    """The loss of each row, (batch,), unweighted, by which models are judged: see `judging`."""
    return judging(loss_function(description, training, bundle), description)(outputs, target)


def judging(losses: Losses, description: Description) -> Losses:
    """The same losses for held-back rows, whose class may be -1, never seen in training.

    Such a row is a certain error of any model: it costs what LEAST costs, so that kinds compare.
    """
    import torch

    if not description.classes:
        return losses

    def judged(outputs: Tensor, target: Tensor) -> Tensor:
        return torch.where(target < 0, -math.log(LEAST), losses(outputs, target.clamp(min=0)))

    return judged


def loss_function(description: Description, training: Training, bundle: Path) -> Losses:
    """A function of outputs and target that gives each row's loss, (batch,).

    Outputs are (batch, outputs), or (batch, members, outputs) of an ensemble, whose members learn each for
    itself: a row's loss is the mean of theirs. The target is (batch,): standardised values, or classes from
    0. Quantiles add the mean of their pinball losses.
    Raises ConfigError where the user's own loss, whose code is in `bundle`, does not give a number a row.
    """
    single = value_loss(description, training, bundle)
    quantiles = description.model.quantiles if description.task == "regression" else []

    def losses(outputs: Tensor, target: Tensor) -> Tensor:
        outputs = outputs.float()
        members = outputs.shape[1] if outputs.dim() == 3 else 0
        if members:
            outputs, target = outputs.flatten(0, 1), target.repeat_interleave(members)
        found = single(outputs[:, :1] if quantiles else outputs, target)
        if quantiles:
            found = found + pinball(outputs[:, 1:], target, quantiles)
        return found.view(-1, members).mean(1) if members else found

    return losses


def value_loss(description: Description, training: Training, bundle: Path) -> Losses:
    """The loss of (batch, outputs) without quantiles: `training.loss`, or the usual one of the task."""
    name = training.loss
    if name == "auto":
        name = "squared" if description.task == "regression" else "cross_entropy"
    named: dict[str, Losses] = {
        "squared": squared,
        "absolute": absolute,
        "huber": huber,
        "cross_entropy": cross_entropy,
        "focal": focal,
    }
    outputs = len(description.classes) or 1
    return named.get(name) or own_loss(name, bundle, outputs, bool(description.classes))


def squared(outputs: Tensor, target: Tensor) -> Tensor:
    return (outputs[:, 0] - target).square()


def absolute(outputs: Tensor, target: Tensor) -> Tensor:
    return (outputs[:, 0] - target).abs()


def huber(outputs: Tensor, target: Tensor) -> Tensor:
    """Squared up to one standard deviation of the target, then straight: extreme rows pull no harder."""
    from torch.nn import functional

    return functional.huber_loss(outputs[:, 0], target, reduction="none")


def cross_entropy(outputs: Tensor, target: Tensor) -> Tensor:
    from torch.nn import functional

    return functional.cross_entropy(outputs, target, reduction="none")


def focal(outputs: Tensor, target: Tensor) -> Tensor:
    """Cross entropy, less of it for rows that are right already: (1 - p)^2 times, p of the true class."""
    entropy = cross_entropy(outputs, target)
    return (1 - (-entropy).exp()) ** FOCUS * entropy


def pinball(outputs: Tensor, target: Tensor, quantiles: list[float]) -> Tensor:
    """Mean over the quantiles of max(q·e, (q - 1)·e) with e = target - output (Koenker and Bassett 1978)."""
    import torch

    levels = torch.tensor(quantiles, dtype=outputs.dtype, device=outputs.device)
    errors = target[:, None] - outputs
    return torch.maximum(levels * errors, (levels - 1) * errors).mean(1)
