"""A plain perceptron on tables."""

from __future__ import annotations

import torch
from torch import nn

from pipelines.config import Model
from pipelines.models.dropout import Dropout
from pipelines.models.embedding import TableEmbedding


class Perceptron(nn.Module):
    """Rows (batch, numbers + codes) in, (batch, outputs) out."""

    def __init__(self, embedding: TableEmbedding, outputs: int, model: Model) -> None:
        super().__init__()
        self.embedding = embedding
        layers: list[nn.Module] = []
        width = sum(embedding.sizes)
        for _ in range(model.depth):
            layers += [
                nn.Linear(width, model.width),
                nn.LayerNorm(model.width),
                nn.SiLU(),
                Dropout(model.dropout),
            ]
            width = model.width
        self.layers = nn.Sequential(*layers, nn.Linear(width, outputs))

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = self.layers(self.embedding(rows))
        return out
