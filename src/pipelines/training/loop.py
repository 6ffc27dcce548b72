"""A network's training loop, in torch alone: rows in memory, batched by index, best epoch kept, resumable."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from pipelines.models.networks import build_network
from pipelines.training.arrays import load_arrays
from pipelines.training.folder import AttemptFolder
from pipelines.training.job import FitJob

STATE = "state.pt"


def train_here(job: FitJob, on_epoch: Callable[[dict[str, Any]], None] | None = None) -> None:
    """Train in this process, from its last checkpoint on if it has one."""
    loop, folder = Loop(job), job.place / "checkpoint"
    loop.restore(folder if (folder / STATE).exists() else None)
    for told in loop.epochs():
        loop.save(folder)
        if on_epoch:
            on_epoch(told)
    loop.write_best()


class Loop:
    """The state of one training on one worker; `wrap` makes its network learn with the others."""

    def __init__(
        self,
        job: FitJob,
        device: Any = None,
        rank: int = 0,
        world: int = 1,
        wrap: Callable[[Any], Any] | None = None,
    ) -> None:
        import torch

        self.job, self.rank, self.world = job, rank, world
        self.training, self.description = job.training, job.description
        self.device = device or torch.device("cuda" if torch.cuda.is_available() else "cpu")
        torch.manual_seed(self.training.seed)
        self._load()
        self.network = build_network(self.description).to(self.device)
        self.model = wrap(self.network) if wrap else self.network
        self.optimizer = torch.optim.AdamW(
            self.network.parameters(),
            lr=self.training.learning_rate,
            weight_decay=self.training.weight_decay,
        )
        self.epoch, self.best, self.best_epoch, self.seconds = 0, math.inf, 0, 0.0
        self.best_state = self._copy_state()
        self.loss = self.validation = math.nan

    def _load(self) -> None:
        """Put the rows on the device, once."""
        import torch

        found = load_arrays(self.job.arrays)
        arrays = {name: torch.from_numpy(a).to(self.device) for name, a in found.items()}
        self.x, self.y, self.weight = arrays["x"], arrays["y"], arrays["weight"]
        self.x_validation, self.y_validation = arrays["x_validation"], arrays["y_validation"]

    # ------------------------------------------------------------------------------------------ epochs

    def epochs(self) -> Iterator[dict[str, Any]]:
        """Train to the end; after each epoch what it told, once its state may be saved."""
        while not self.finished():
            self.train_epoch()
            self.validate()
            self.write_progress()
            yield self.told()

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
        size, total = self.batch_size(), torch.zeros((), device=self.device)
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

    def batch_size(self) -> int:
        size = self.training.batch_size
        return 256 if size == "auto" else size

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
            folder.mkdir(parents=True, exist_ok=True)
            torch.save(state, folder / "state.part")
            (folder / "state.part").replace(folder / STATE)

    def restore(self, folder: Path | None) -> None:
        """Go on where a checkpoint ends; None is the beginning."""
        import torch

        if folder is None:
            return
        state = torch.load(folder / STATE, weights_only=True, map_location=self.device)
        self.network.load_state_dict(state["network"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.best_state = {k: v.cpu() for k, v in state["best_state"].items()}
        numbers = state["numbers"]
        self.epoch, self.best, self.best_epoch = numbers["epoch"], numbers["best"], numbers["best_epoch"]

    def told(self) -> dict[str, Any]:
        """What an epoch reports: model, epoch, epochs, loss, validation, seconds, samples_per_second."""
        return {
            "model": self.description.kind,
            "epoch": self.epoch,
            "epochs": self.training.epochs,
            "loss": round(self.loss, 6),
            "validation": round(self.validation, 6),
            "seconds": round(self.seconds, 3),
            "samples_per_second": round(len(self.x) / max(self.seconds, 1e-9)),
        }

    def write_progress(self) -> None:
        """A line for whoever watches; by rank 0."""
        if self.rank == 0:
            with AttemptFolder(self.job.root).progress.open("a") as file:
                file.write(json.dumps(self.told()) + "\n")

    def write_best(self) -> None:
        """The best epoch's weights into the bundle; by rank 0."""
        import torch

        if self.rank == 0:
            torch.save(self.best_state, self.job.bundle / "weights.pt")
            numbers = {"epochs": self.epoch, "best_epoch": self.best_epoch, "validation_loss": self.best}
            (self.job.place / "best.json").write_text(json.dumps(numbers))
