"""The network that a description asks for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray
    from torch import nn

    from pipelines.models.bundle import Description

BINS = 48  # pieces of the line that each number is embedded by, at most
CLOSEST = 1e-4  # that two edges may be
MOST_ROWS = 100_000  # quantiles of more say nothing else


def build_network(description: Description, bundle: Path) -> nn.Module:
    """An untrained network: rows as `features.transform` gives them in; (batch, outputs) out, or
    (batch, members, outputs). The user's own is built by the code in `bundle`."""
    if description.model.own:
        from pipelines.models.custom import build_own

        return build_own(description, bundle)
    from pipelines.models.embedding import TableEmbedding
    from pipelines.models.mlp import Perceptron
    from pipelines.models.tabm import TabM

    kind = TabM if description.kind == "tabm" else Perceptron
    embedding = TableEmbedding(description.bins, description.cardinalities)
    return kind(embedding, description.outputs, description.model)


def find_bins(numbers: NDArray[Any]) -> list[list[float]]:
    """The edges of each column's pieces, (rows, numbers) given: two at least."""
    step = max(1, len(numbers) // MOST_ROWS)
    return [find_edges(column[::step]) for column in numbers.T]


def find_edges(values: NDArray[Any]) -> list[float]:
    """Half of them quantiles of the rows, half of the distinct values; all these where they are few.

    Quantiles of rows alone leave no edge to what is rare and tells much, as a gain of capital among zeros.
    """
    import numpy as np

    distinct, shares = np.unique(values), np.linspace(0, 1, BINS // 2 + 1)
    edges = distinct
    if len(distinct) > BINS:
        edges = np.unique(np.concatenate([np.quantile(values, shares), np.quantile(distinct, shares)]))
    edges = edges[np.diff(edges, prepend=-np.inf) > CLOSEST]
    return [float(e) for e in (edges if len(edges) > 1 else [edges[0] - 1, edges[0] + 1])]
