"""The network that a description asks for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import nn

    from pipelines.models.bundle import Description

BINS = 32  # pieces of the line that each number is embedded by
MOST_ROWS = 100_000  # quantiles of more say nothing else


def build_network(description: Description) -> nn.Module:
    """An untrained network: rows as `features.transform` gives them in; (batch, outputs) out, or
    (batch, members, outputs)."""
    from pipelines.models.embedding import TableEmbedding
    from pipelines.models.mlp import Perceptron
    from pipelines.models.tabm import TabM

    kind = TabM if description.kind == "tabm" else Perceptron
    embedding = TableEmbedding(description.bins, description.cardinalities)
    return kind(embedding, description.outputs, description.model)


def find_bins(numbers: NDArray[Any]) -> list[list[float]]:
    """The edges of each column's pieces: quantiles of the training rows, at least two that differ."""
    import numpy as np

    step = max(1, len(numbers) // MOST_ROWS)
    shares = np.linspace(0, 1, BINS + 1)
    edges = [np.unique(np.quantile(column[::step], shares)) for column in numbers.T]
    return [list(map(float, e if len(e) > 1 else [e[0] - 1, e[0] + 1])) for e in edges]
