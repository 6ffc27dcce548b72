"""A plain perceptron on tables: embedded categories beside scaled numbers."""

from __future__ import annotations

import torch
from torch import nn

from pipelines.config import Model


class Perceptron(nn.Module):
    """Rows (batch, numbers + codes) in, (batch, outputs) out.

    Codes are whole numbers held in the last columns.
    """

    def __init__(self, numbers: int, cardinalities: list[int], outputs: int, model: Model) -> None:
        super().__init__()
        self.numbers = numbers
        # Half the values, at most 16 dimensions: enough for categories of tables, small beside the layers.
        sizes = [min(16, (n + 1) // 2) for n in cardinalities]
        self.embeddings = nn.ModuleList(nn.Embedding(n, d) for n, d in zip(cardinalities, sizes, strict=True))
        layers: list[nn.Module] = []
        width = numbers + sum(sizes)
        for _ in range(model.depth):
            layers += [
                nn.Linear(width, model.width),
                nn.LayerNorm(model.width),
                nn.SiLU(),
                nn.Dropout(model.dropout),
            ]
            width = model.width
        self.layers = nn.Sequential(*layers, nn.Linear(width, outputs))

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        codes = rows[:, self.numbers :].long()
        embedded = [embedding(codes[:, i]) for i, embedding in enumerate(self.embeddings)]
        out: torch.Tensor = self.layers(torch.cat([rows[:, : self.numbers], *embedded], dim=1))
        return out
