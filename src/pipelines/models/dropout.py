"""Dropout that costs little on a CPU too."""

from __future__ import annotations

import torch
from torch import nn

LEVELS = 2**16  # values of the 16 random bits that decide about a number


class Dropout(nn.Dropout):
    """torch's dropout, its noise made of 16 random bits a number where a CPU computes.

    There torch draws a whole variate for each number, a third of a TabM's step; this takes a sixth of that.
    The share that is dropped is `p` rounded to 1/65,536, and what is kept is scaled by the rounded one.
    """

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        if not self.training or self.p == 0 or input.device.type != "cpu" or torch.compiler.is_compiling():
            return super().forward(input)
        dropped = min(max(round(self.p * LEVELS), 1), LEVELS - 1)
        noise = torch.empty(input.shape, dtype=input.dtype)
        torch.ge(random_bits(input.shape), dropped - LEVELS // 2, out=noise)
        return input * noise.mul_(LEVELS / (LEVELS - dropped))


def random_bits(shape: torch.Size) -> torch.Tensor:
    """Uniform 16-bit integers: four are cut from each 64-bit one that the generator gives."""
    count = shape.numel()
    words = torch.empty(-(-count // 4), dtype=torch.int64).random_(-(2**63), None)
    return words.view(torch.int16)[:count].view(shape)
