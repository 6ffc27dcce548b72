"""One worker's training loop: rows in memory, batched by index, best epoch kept, resumable at each."""

from __future__ import annotations

import json
import math
import tempfile
import time
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from pipelines.config import Training
from pipelines.models.bundle import Description, build_network

STATE = "state.pt"


def train_loop(settings: dict[str, Any]) -> None:
    """What Ray Train runs on every worker; all workers stop at the same epoch."""
    import ray.train
    import torch

    training, description = (
        Training.model_validate(settings["training"]),
        Description.model_validate(settings["description"]),
    )
    torch.manual_seed(training.seed)
    context = ray.train.get_context()
    run = Run(
        Path(settings["folder"]), training, description, context.get_world_rank(), context.get_world_size()
    )
    # Ray's local mode forgets checkpoints with the process; there the attempt's own folder keeps the last.
    kept = run.folder / "checkpoint" if settings["in_process"] else None
    run.restore(own_checkpoint(kept) if kept else ray.train.get_checkpoint())
    while not run.finished():
        run.train_epoch()
        run.validate()
        run.write_progress()
        with nullcontext(kept) if kept else tempfile.TemporaryDirectory() as folder:
            run.save(Path(folder))
            checkpoint = ray.train.Checkpoint.from_directory(folder) if run.rank == 0 else None
            ray.train.report(
                {"epoch": run.epoch, "loss": run.loss, "validation": run.validation}, checkpoint=checkpoint
            )
    run.write_best()


def own_checkpoint(folder: Path) -> Any:
    """The checkpoint that an earlier process of this attempt left, None where there is none."""
    import ray.train

    return ray.train.Checkpoint.from_directory(folder) if (folder / STATE).exists() else None


class Run:
    """The state of one training on one worker."""

    def __init__(
        self, folder: Path, training: Training, description: Description, rank: int, world: int
    ) -> None:
        import ray.train.torch as ray_torch
        import torch

        self.folder, self.training, self.description, self.rank, self.world = (
            folder,
            training,
            description,
            rank,
            world,
        )
        self.device = ray_torch.get_device()
        self._load(folder)
        self.network = build_network(description).to(self.device)
        self.model = ray_torch.prepare_model(self.network) if world > 1 else self.network
        self.optimizer = torch.optim.AdamW(
            self.network.parameters(), lr=training.learning_rate, weight_decay=training.weight_decay
        )
        self.epoch, self.best, self.best_epoch, self.seconds = 0, math.inf, 0, 0.0
        self.best_state = self._copy_state()
        self.loss = self.validation = math.nan

    def _load(self, folder: Path) -> None:
        """Put this worker's rows on its device, once."""
        import torch

        from pipelines.training.arrays import load_arrays

        arrays = {name: torch.from_numpy(a).to(self.device) for name, a in load_arrays(folder).items()}
        self.x, self.y, self.weight = arrays["x"], arrays["y"], arrays["weight"]
        self.x_validation, self.y_validation = arrays["x_validation"], arrays["y_validation"]

    # ------------------------------------------------------------------------------------------ epochs

    def finished(self) -> bool:
        return self.epoch >= self.training.epochs or self.epoch - self.best_epoch >= self.training.patience

    def train_epoch(self) -> None:
        """One pass over the rows, in an order of seed and epoch alone, so that a resumed run repeats it."""
        import torch

        started = time.monotonic()
        self.epoch += 1
        for group in self.optimizer.param_groups:
            group["lr"] = self._rate()
        order = torch.randperm(
            len(self.x), generator=torch.Generator().manual_seed(self.training.seed * 100_003 + self.epoch)
        )
        torch.manual_seed(self.training.seed * 100_003 + self.epoch)  # dropout, too
        self.model.train()
        size, total = self.training.batch_size, torch.zeros((), device=self.device)
        whole = max(1, len(order) // size)
        for batch in torch.split(order[: whole * size].to(self.device), size):
            total += self._step(batch[self.rank :: self.world])
        self.loss = float(total) / whole
        self.seconds = time.monotonic() - started
        if not math.isfinite(self.loss):
            raise ValueError(
                f"The loss is {self.loss} in epoch {self.epoch}: lower training.learning_rate,"
                " or look for extreme values."
            )

    def _step(self, rows: Any) -> Any:
        """One update from the rows of this worker; the workers' gradients are averaged."""
        from torch.nn.utils import clip_grad_norm_

        self.optimizer.zero_grad(set_to_none=True)
        loss = (self._losses(self.model(self.x[rows]), self.y[rows]) * self.weight[rows]).mean()
        loss.backward()
        clip_grad_norm_(self.network.parameters(), 1.0)
        self.optimizer.step()
        return loss.detach()

    def _losses(self, outputs: Any, target: Any) -> Any:
        """The loss of each row: squared error of the standardised target, or cross entropy."""
        from torch.nn import functional

        if self.description.task == "regression":
            return functional.mse_loss(outputs[:, 0], target, reduction="none")
        return functional.cross_entropy(outputs, target, reduction="none", ignore_index=-1)

    def _rate(self) -> float:
        """The learning rate falls along half a cosine, to a hundredth, over the epochs allowed."""
        done = (self.epoch - 1) / self.training.epochs
        return self.training.learning_rate * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * done)))

    def validate(self) -> None:
        """The loss on the validation rows decides which epoch is the best.

        Rank 0's number holds for all workers.
        """
        import torch

        self.model.eval()
        with torch.inference_mode():
            x, y = self.x_validation, self.y_validation
            pieces = zip(torch.split(x, 65_536), torch.split(y, 65_536), strict=True)
            losses = torch.cat([self._losses(self.network(x), y) for x, y in pieces])
        value = losses.mean()
        if self.world > 1:
            value = value.clone()
            torch.distributed.broadcast(value, 0)
        self.validation = float(value)
        if self.validation < self.best:
            self.best, self.best_epoch, self.best_state = self.validation, self.epoch, self._copy_state()

    # ------------------------------------------------------------------------------------------ what is kept

    def _copy_state(self) -> dict[str, Any]:
        return {k: v.detach().cpu().clone() for k, v in self.network.state_dict().items()}

    def save(self, folder: Path) -> None:
        """Everything that the next epoch depends on; by rank 0."""
        import torch

        if self.rank == 0:
            state = {
                "network": self._copy_state(),
                "optimizer": self.optimizer.state_dict(),
                "best_state": self.best_state,
                "numbers": {"epoch": self.epoch, "best": self.best, "best_epoch": self.best_epoch},
            }
            folder.mkdir(exist_ok=True)
            torch.save(state, folder / "state.part")
            (folder / "state.part").replace(folder / STATE)

    def restore(self, checkpoint: Any) -> None:
        """Go on where a checkpoint ends; None is the beginning."""
        import torch

        if checkpoint is None:
            return
        with checkpoint.as_directory() as folder:
            state = torch.load(Path(folder) / STATE, weights_only=True, map_location=self.device)
        self.network.load_state_dict(state["network"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.best_state = {k: v.cpu() for k, v in state["best_state"].items()}
        numbers = state["numbers"]
        self.epoch, self.best, self.best_epoch = numbers["epoch"], numbers["best"], numbers["best_epoch"]

    def write_progress(self) -> None:
        """A line for whoever watches; by rank 0."""
        if self.rank == 0:
            line = {
                "epoch": self.epoch,
                "epochs": self.training.epochs,
                "loss": round(self.loss, 6),
                "validation": round(self.validation, 6),
                "seconds": round(self.seconds, 3),
                "samples_per_second": round(len(self.x) / max(self.seconds, 1e-9)),
            }
            with (self.folder / "progress.jsonl").open("a") as file:
                file.write(json.dumps(line) + "\n")

    def write_best(self) -> None:
        """The best epoch's weights into the bundle; by rank 0."""
        import torch

        if self.rank == 0:
            torch.save(self.best_state, self.folder / "bundle" / "weights.pt")
            numbers = {
                "epochs": float(self.epoch),
                "best_epoch": float(self.best_epoch),
                "validation_loss": self.best,
            }
            (self.folder / "best.json").write_text(json.dumps(numbers))
