"""From a row of numbers and codes to what the layers of a network read."""

from __future__ import annotations

import math
import warnings

import torch
from rtdl_num_embeddings import PiecewiseLinearEmbeddings
from torch import nn
from torch.nn import functional

NUMBER_SIZE = 8  # dimensions of an embedded number
MOST_ONE_HOT = 12  # codes; a category with more of them gets an embedding
MOST_CODE_SIZE = 16  # dimensions of an embedded code


def embed_numbers(bins: list[list[float]]) -> nn.Module:
    """An embedding for each number; that one of a single piece is a line is all right."""
    edges = [torch.tensor(edge, dtype=torch.float32) for edge in bins]
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*just two bin edges")
        embedding: nn.Module = PiecewiseLinearEmbeddings(edges, NUMBER_SIZE, activation=False, version="B")
    return embedding


def embed_codes(count: int, size: int) -> nn.Module:
    """A vector for each code, of length 1 or so."""
    table = nn.Embedding(count, size)
    nn.init.normal_(table.weight, std=1 / math.sqrt(size))
    return table


class TableEmbedding(nn.Module):
    """Rows (batch, numbers + codes) in, (batch, sum of `sizes`) out.

    Numbers become piecewise-linear embeddings (Gorishniy and others, 2022, "On Embeddings for Numerical
    Features in Tabular Deep Learning"), few codes become one-hot, many a learnt vector each. Code 0 is what
    training never saw: its vector is learnt from rare values, or stays as it began.
    """

    def __init__(self, bins: list[list[float]], cardinalities: list[int]) -> None:
        super().__init__()
        self.count = len(bins)
        self.numbers = embed_numbers(bins) if bins else None
        self.cardinalities = cardinalities
        many = {i: min(MOST_CODE_SIZE, n // 2) for i, n in enumerate(cardinalities) if n > MOST_ONE_HOT}
        self.codes = nn.ModuleDict({str(i): embed_codes(cardinalities[i], size) for i, size in many.items()})
        # How many values each column becomes.
        self.sizes = [NUMBER_SIZE] * self.count + [many.get(i, n) for i, n in enumerate(cardinalities)]

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        codes = rows[:, self.count :].long()
        parts = [] if self.numbers is None else [self.numbers(rows[:, : self.count]).flatten(1)]
        for i, n in enumerate(self.cardinalities):
            if str(i) in self.codes:
                parts.append(self.codes[str(i)](codes[:, i]))
            else:
                parts.append(functional.one_hot(codes[:, i], n).to(rows.dtype))
        return torch.cat(parts, dim=1)
