"""How a network's weights are changed: AdamW, its learning rate over the updates, and whether to compile."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from pipelines.config import Training

if TYPE_CHECKING:
    from torch import device, nn

# Compiling takes about a minute; below this many updates the loop would be through before it pays.
UPDATES_TO_COMPILE = 50_000


def make_optimizer(network: nn.Module, training: Training) -> Any:
    """AdamW, all weights updated by one kernel."""
    import torch

    return torch.optim.AdamW(
        network.parameters(), lr=training.learning_rate, weight_decay=training.weight_decay, fused=True
    )


def pays_to_compile(training: Training, updates: int, where: device) -> bool:
    """`training.compile`; `auto` is on a GPU, for trainings that are long enough to get it back."""
    if training.compile != "auto":
        return training.compile
    return where.type == "cuda" and updates >= UPDATES_TO_COMPILE


class Schedule:
    """The learning rate of each update: rising over the warm-up, then half a cosine down to a hundredth."""

    def __init__(self, training: Training, batches: int) -> None:
        self.training, self.updates = training, int(training.epochs) * batches
        self.warmup = round(training.warmup * self.updates)

    def rate(self, update: int) -> float:
        """`update` counts from 0; a refit that ends earlier follows the same curve."""
        highest = self.training.learning_rate
        if update < self.warmup:
            return highest * (update + 1) / self.warmup
        if self.training.schedule == "constant":
            return highest
        done = (update - self.warmup) / max(1, self.updates - self.warmup)
        return highest * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * min(1.0, done))))

    def set_rate(self, optimizer: Any, update: int) -> None:
        for group in optimizer.param_groups:
            group["lr"] = self.rate(update)
