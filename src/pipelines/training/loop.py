"""A network's training loop, in torch alone: from batches to weights, best epoch kept, resumable."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterator
from functools import cached_property
from typing import TYPE_CHECKING, Any

from pipelines.errors import EvergreenError
from pipelines.files import write_whole
from pipelines.models.custom import in_words
from pipelines.models.networks import build_network
from pipelines.training import scores
from pipelines.training.checkpoints import Checkpoints
from pipelines.training.folder import AttemptFolder
from pipelines.training.job import FitJob, OnEpoch
from pipelines.training.losses import judging, loss_function
from pipelines.training.optimizing import Schedule, make_optimizer, pays_to_compile
from pipelines.training.parallel import choose_parallel
from pipelines.training.placing import (
    Cut,
    Piece,
    autocast,
    choose_device,
    place_rows,
    set_determinism,
)
from pipelines.training.usage import device_use

if TYPE_CHECKING:
    from torch import Tensor

BEST = "best.json"


def train_here(job: FitJob, on_epoch: OnEpoch | None = None) -> None:
    """Train in this process, from its last checkpoint on if it has one."""
    loop, checkpoints = Loop(job), Checkpoints(job)
    if (state := checkpoints.load(loop.device)) is not None:
        loop.restore(state)
    for told in loop.epochs():
        state = loop.state()  # sharded weights are brought together by all
        if loop.rank == 0:
            checkpoints.save(state)
        if on_epoch:
            on_epoch(told)
    loop.write_best()


class Loop:
    """The state of one training on one worker; the others of its process group, if any, hold the same."""

    def __init__(self, job: FitJob, device: Any = None, shard: Any = None) -> None:
        """`shard` is this worker's of a Ray Dataset where rows are streamed; else the arrays have them."""
        import torch

        self.job, self.description = job, job.description
        self.device = device or choose_device()
        self.rows = place_rows(job.arrays, self.device, shard)
        self.training = job.training.for_rows(len(self.rows))
        set_determinism(self.training.deterministic)
        torch.manual_seed(self.training.seed)
        self.network = build_network(self.description, job.bundle).to(self.device)
        self.parallel = choose_parallel(self.network, self.training.strategy, self.device)
        self.rank, self.world = self.parallel.rank, self.parallel.world
        self.batch_size = self.rows.fit_batch(int(self.training.batch_size), self.world)
        self.batches = len(self.rows) // self.batch_size
        self.cut = Cut(self.batch_size, self.batches, self.rank, self.world, self.training.accumulate)
        self.limit: int = job.epochs or int(self.training.epochs)
        self.schedule = Schedule(self.training, self.batches)
        self.losses_of = loss_function(self.description, self.training, job.bundle)
        self.judged_of = judging(self.losses_of, self.description)
        compiled = pays_to_compile(self.training, self.batches * self.limit, self.device)
        self.model = self.parallel.wrap(
            self.network, torch.compile(self.network) if compiled else self.network
        )
        self.optimizer = make_optimizer(self.network, self.training)
        self.parameters = list(self.network.parameters())
        self.epoch, self.best, self.best_epoch, self.best_state = 0, math.inf, 0, self._weights()
        self.loss = self.validation = self.score = math.nan
        self.seconds = self.spent = 0.0
        self.beaten = 0.0

    # ------------------------------------------------------------------------------------------ epochs

    def epochs(self) -> Iterator[dict[str, Any]]:
        """Train to the end; after each epoch what it told, once its state may be saved.

        Raises EvergreenError where the loss is no number any more, on every worker alike, and ConfigError
        where the user's own code raises.
        """
        while not self.finished():
            started = time.monotonic()
            with in_words():
                self.train_epoch()
                self.judge_epoch()
            self.spent += time.monotonic() - started
            told = self.told()
            self.write_progress(told)
            yield told
        if self.job.validated and not math.isfinite(self.best):
            raise EvergreenError(
                f"The validation loss was no number in any of {self.epoch} epochs: {self.validation}.",
                "Lower training.learning_rate, or look for extreme values in the data.",
            )

    def finished(self) -> bool:
        stopped = self.job.validated and self.epoch - self.best_epoch >= self.training.patience
        return self.epoch >= self.limit or stopped

    def train_epoch(self) -> None:
        """One pass over the rows: in memory in an order of seed and epoch alone, as they come of a stream.

        Each batch is cut among the workers, so their number changes nothing but the rounding. The batches'
        losses stay on the device until the end: to look at one would make it wait for us.
        """
        import torch

        started = time.monotonic()
        self.epoch += 1
        torch.manual_seed((self.training.seed * 100_003 + self.epoch) * 1_009 + self.rank)  # dropout, too
        self.model.train()
        losses = torch.zeros(self.batches, device=self.device)
        for number, pieces in enumerate(self.rows.batches(self.cut, self.training.seed, self.epoch)):
            losses[number] = self._update(pieces, (self.epoch - 1) * self.batches + number)
            self._beat()
        self._check(self.parallel.sum(losses) / self.world)
        self.seconds = time.monotonic() - started

    def _update(self, pieces: Iterator[Piece], update: int) -> Tensor:
        """One step by the gradient of the whole batch; its mean loss, as far as this worker sees it."""
        self.schedule.set_rate(self.optimizer, update)
        losses = [self._learn(*piece, last=n == self.cut.pieces) for n, piece in enumerate(pieces, 1)]
        if self.training.clip is not None:
            self._clip(self.parameters, self.training.clip, foreach=True)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        return sum(losses[1:], losses[0])

    def _learn(self, x: Tensor, y: Tensor, weight: Tensor | None, last: bool) -> Tensor:
        """Add the gradient of a piece. What the workers' average is of sums to the mean over the batch."""
        with self.parallel.piece(self.model, last):
            with autocast(self.training, self.device):
                outputs = self.model(x)
            losses = self.losses_of(outputs, y)
            loss = (losses if weight is None else losses * weight).sum() * (self.world / self.batch_size)
            loss.backward()  # type: ignore[no-untyped-call]  # torch does not say its type
        return loss.detach()

    @cached_property
    def _clip(self) -> Any:
        from torch.nn.utils import clip_grad_norm_

        return clip_grad_norm_

    def _check(self, losses: Tensor) -> None:
        """Keep the mean; raise EvergreenError, which names epoch and batch, where it is no number."""
        self.loss = float(losses.mean())
        if not math.isfinite(self.loss):
            number = int((~losses.isfinite()).nonzero()[0])
            raise EvergreenError(
                f"The loss is {float(losses[number])} in epoch {self.epoch},"
                f" batch {number + 1} of {self.batches}.",
                "Lower training.learning_rate, or look for extreme values in the data.",
            )

    def _beat(self) -> None:
        """A sign of life, at most once a second: what stands still is found by its absence."""
        now = time.monotonic()
        if now - self.beaten >= 1:
            self.beaten = now
            AttemptFolder(self.job.root).beat.touch()

    # ------------------------------------------------------------------------------------------ judgment

    def judge_epoch(self) -> None:
        """The mean loss on the validation rows says which epoch is the best; in a refit the last one is."""
        if not self.job.validated:
            self.best_epoch = self.epoch
            if self.epoch == self.limit:
                self.best_state = self._weights()
            return
        losses, found = self.validate()
        self.validation = float(losses.double().mean())
        self.score = scores.score(self.job.metric, found, self.rows.y_validation, self.description)
        if self.validation < self.best:
            self.best, self.best_epoch, self.best_state = self.validation, self.epoch, self._weights()

    def validate(self) -> tuple[Tensor, Tensor]:
        """Loss and prediction of each validation row: every worker runs its share and knows all.

        In float32, as the model will answer.
        """
        import torch

        self.network.eval()
        count = len(self.rows.y_validation)
        share = -(-count // self.world)
        mine = torch.arange(self.rank * share, (self.rank + 1) * share, device=self.rows.device).clamp(
            max=count - 1
        )
        losses, found = [], []
        with torch.no_grad():
            for rows in torch.split(mine, self.description.piece):
                x, y = self.rows.take_validation(rows)
                outputs = self.network(x)
                losses.append(self.judged_of(outputs, y))
                found.append(scores.predicted(outputs, self.description))
                self._beat()
        gather = self.parallel.gather
        return gather(torch.cat(losses))[:count], gather(torch.cat(found))[:count]

    # ------------------------------------------------------------------------------------------ what is kept

    def _weights(self) -> dict[str, Any]:
        return self.parallel.weights(self.network)

    def state(self) -> dict[str, Any]:
        """Everything that the next epoch depends on; all workers must ask, rank 0 has it whole."""
        return {
            "network": self._weights(),
            "optimizer": self.parallel.moments(self.network, self.optimizer),
            "best_state": self.best_state,
            "numbers": {
                "epoch": self.epoch,
                "best": self.best,
                "best_epoch": self.best_epoch,
                "spent": self.spent,
            },
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from what `state` gave."""
        self.parallel.load_weights(self.network, state["network"])
        self.parallel.load_moments(self.network, self.optimizer, state["optimizer"])
        self.best_state = state["best_state"]
        numbers = state["numbers"]
        self.epoch, self.best, self.best_epoch = numbers["epoch"], numbers["best"], numbers["best_epoch"]
        self.spent = numbers["spent"]

    def told(self) -> dict[str, Any]:
        """What an epoch reports; see docs/training.md. `left` is for all epochs that are allowed."""
        told: dict[str, Any] = {
            "model": self.description.kind + (f" {self.job.stage}" if self.job.stage != "first" else ""),
            "epoch": self.epoch,
            "epochs": self.limit,
            "loss": round(self.loss, 6),
            "seconds": round(self.seconds, 3),
            "samples_per_second": round(self.batches * self.batch_size / max(self.seconds, 1e-9)),
            "left": round(self.spent / self.epoch * (self.limit - self.epoch), 1),
            "time": round(time.time(), 3),
            "device": device_use(),
        }
        if self.job.validated:
            told |= {"validation": round(self.validation, 6)}
            if math.isfinite(self.score):
                told |= {"metric": self.job.metric, "score": round(self.score, 6)}
        return told

    def write_progress(self, told: dict[str, Any]) -> None:
        """A line for whoever watches; by rank 0."""
        if self.rank == 0:
            with AttemptFolder(self.job.root).progress.open("a") as file:
                file.write(json.dumps(told) + "\n")

    def write_best(self) -> None:
        """The best epoch's weights into the bundle; by rank 0."""
        import torch

        if self.rank == 0:
            numbers: dict[str, float] = {"epochs": self.epoch, "best_epoch": self.best_epoch}
            if self.job.validated:
                numbers["validation_loss"] = self.best
            self.job.bundle.mkdir(parents=True, exist_ok=True)
            torch.save(self.best_state, self.job.bundle / "weights.pt")
            write_whole(self.job.place / BEST, json.dumps(numbers))
