"""TabM: an ensemble of perceptrons that share nearly all their weights (Gorishniy and others, 2024)."""

from __future__ import annotations

import tabm
import torch
from torch import nn
from torch.nn import functional

from pipelines.config import Model
from pipelines.models.dropout import Dropout
from pipelines.models.embedding import TableEmbedding


class TabM(nn.Module):
    """Rows (batch, numbers + codes) in, (batch, members, outputs) out: an answer of each member."""

    def __init__(self, embedding: TableEmbedding, outputs: int, model: Model) -> None:
        super().__init__()
        self.embedding = embedding
        self.members = tabm.EnsembleView(k=model.members)
        self.backbone = Backbone(embedding.sizes, model)
        self.head = tabm.LinearEnsemble(model.width, outputs, k=model.members)

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = self.head(self.backbone(self.members(self.embedding(rows))))
        return out


class Backbone(nn.Module):
    """(batch, members, sum of `sizes`) in, (batch, members, width) out: tabm's, of layers that are faster."""

    def __init__(self, sizes: list[int], model: Model) -> None:
        super().__init__()
        widths = [sum(sizes)] + [model.width] * (model.depth - 1)
        self.blocks = nn.ModuleList(
            nn.Sequential(
                SharedLinear(
                    width,
                    model.width,
                    k=model.members,
                    # Members differ by how they scale the columns, each with all of its dimensions alike.
                    scaling_init="ones" if i else ("normal", "ones"),
                    first_scaling_init_chunks=None if i else sizes,
                ),
                nn.ReLU(),
                Dropout(model.dropout),
            )
            for i, width in enumerate(widths)
        )

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        for block in self.blocks:
            rows = block(rows)
        return rows


class SharedLinear(tabm.LinearBatchEnsemble):  # type: ignore[misc]
    """tabm's linear layer of members that share their weights, but for scales of inputs and outputs.

    Of many rows it scales the weights instead of the rows, which are more; equal but for rounding.
    """

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if len(x) < self.out_features:
            few: torch.Tensor = super().forward(x)
            return few
        weights = self.s[:, :, None] * self.weight * self.r[:, None, :]  # (members, outputs, inputs)
        if x.stride(1) == 0:  # all members read the same, as before the first layer: one product for all
            found = functional.linear(x[:, 0], weights.flatten(0, 1), self.bias.flatten())
            return found.view(len(x), self.k, -1)
        return torch.baddbmm(self.bias[:, None], x.transpose(0, 1), weights.mT).transpose(0, 1)
