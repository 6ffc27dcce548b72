"""The network that a description asks for."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import nn

    from pipelines.models.bundle import Description


def build_network(description: Description) -> nn.Module:
    """An untrained network: rows as `features.transform` gives them in, (batch, outputs) out."""
    from pipelines.models.mlp import Perceptron

    return Perceptron(description.numbers, description.cardinalities, description.outputs, description.model)
