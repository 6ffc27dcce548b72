"""What a fit of a network has left: its weights, and what its epochs told."""

from __future__ import annotations

import json
from typing import Any

import torch

from pipelines.training.job import FitJob


def weights_of(job: FitJob) -> dict[str, torch.Tensor]:
    found: dict[str, torch.Tensor] = torch.load(job.bundle / "weights.pt", weights_only=True)
    return found


def told_by(job: FitJob) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (job.root / "progress.jsonl").read_text().splitlines()]
