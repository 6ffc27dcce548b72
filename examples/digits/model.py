"""What the pipeline brings itself: images from text, and a small convolutional network that reads them.

This file travels with each model that is trained by it; Evergreen's service runs it from there.
"""

from __future__ import annotations

import base64
from typing import Any

import numpy as np
import pandas as pd
from torch import Tensor, nn

SIDE = 8


class Images:
    """Texts of base64 as float32 (rows, 1, 8, 8), scaled by the mean and deviation of the training pixels."""

    def fit(self, frame: pd.DataFrame, target: pd.Series) -> Images:
        pixels = self.decode(frame)
        self.mean, self.scale = float(pixels.mean()), float(pixels.std())
        return self

    def transform(self, frame: pd.DataFrame) -> np.ndarray:
        return (self.decode(frame) - self.mean) / self.scale

    def decode(self, frame: pd.DataFrame) -> np.ndarray:
        """A missing image is an empty sheet."""
        blank = bytes(SIDE * SIDE)
        content = [
            blank if pd.isna(text) else base64.b64decode(text, validate=True) for text in frame["image"]
        ]
        if wrong := [len(c) for c in content if len(c) != SIDE * SIDE]:
            raise ValueError(f"an image has {wrong[0]} bytes, expected {SIDE * SIDE}")
        return np.frombuffer(b"".join(content), np.uint8).reshape(-1, 1, SIDE, SIDE).astype(np.float32)


def build_features() -> Images:
    """Fitted on the training rows, kept with the model, run again in the service."""
    return Images()


def build(inputs: Any) -> nn.Module:
    """`inputs.shape` is (1, 8, 8), `inputs.outputs` the number of digits that were seen."""
    channels = inputs.shape[0]
    return nn.Sequential(
        nn.Conv2d(channels, 16, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(16, 32, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Dropout(inputs.model.dropout),
        nn.Linear(32 * (SIDE // 2) ** 2, inputs.outputs),
    )


def loss(outputs: Tensor, target: Tensor) -> Tensor:
    """Cross entropy that is content with being 95 % sure: a loss a row. -1 is a digit never seen."""
    return nn.functional.cross_entropy(
        outputs, target, reduction="none", label_smoothing=0.05, ignore_index=-1
    )
