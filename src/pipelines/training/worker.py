"""What Ray Train runs on every worker: the loop, its checkpoints handed to Ray."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from pipelines.training.job import FitJob
from pipelines.training.loop import Loop


def train_loop(settings: dict[str, Any]) -> None:
    """All workers stop at the same epoch; a worker that is started again goes on from the last checkpoint."""
    import ray.train
    import ray.train.torch as ray_torch

    context = ray.train.get_context()
    rank, world = context.get_world_rank(), context.get_world_size()
    wrap = ray_torch.prepare_model if world > 1 else None
    loop = Loop(FitJob.model_validate(settings), ray_torch.get_device(), rank, world, wrap)
    restore(loop, ray.train.get_checkpoint())
    for told in loop.epochs():
        with tempfile.TemporaryDirectory() as folder:
            loop.save(Path(folder))
            checkpoint = ray.train.Checkpoint.from_directory(folder) if rank == 0 else None
            numbers = {name: told[name] for name in ("epoch", "loss", "validation")}
            ray.train.report(numbers, checkpoint=checkpoint)
    loop.write_best()


def restore(loop: Loop, checkpoint: Any) -> None:
    """Go on from Ray's checkpoint; None is the beginning."""
    if checkpoint is not None:
        with checkpoint.as_directory() as folder:
            loop.restore(Path(folder))
