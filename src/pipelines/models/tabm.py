"""TabM: an ensemble of perceptrons that share nearly all their weights (Gorishniy and others, 2024)."""

from __future__ import annotations

import tabm
import torch
from torch import nn

from pipelines.config import Model
from pipelines.models.embedding import TableEmbedding


class TabM(nn.Module):
    """Rows (batch, numbers + codes) in, (batch, members, outputs) out: an answer of each member."""

    def __init__(self, embedding: TableEmbedding, outputs: int, model: Model) -> None:
        super().__init__()
        self.embedding = embedding
        self.members = tabm.EnsembleView(k=model.members)
        self.backbone = tabm.make_tabm_backbone(
            d_in=sum(embedding.sizes),
            n_blocks=model.depth,
            d_block=model.width,
            dropout=model.dropout,
            activation="ReLU",
            k=model.members,
            arch_type="tabm",
            start_scaling_init="normal",
            start_scaling_init_chunks=embedding.sizes,
        )
        self.head = tabm.LinearEnsemble(model.width, outputs, k=model.members)

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = self.head(self.backbone(self.members(self.embedding(rows))))
        return out
