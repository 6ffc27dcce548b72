"""Where rows and arithmetic are: the device, its precision, and the batches that come there."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.config import Training
from pipelines.environment import set_environment, variable
from pipelines.training.arrays import VALIDATION, load_arrays, read_plan

if TYPE_CHECKING:
    from torch import Tensor, device

BUFFER = 2**25  # bytes of x that a stream is shuffled in
ROOM = 0.6  # share of a GPU's free memory that rows may fill; what is larger stays with the CPU


def choose_device() -> device:
    import torch

    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def autocast(training: Training, where: device) -> AbstractContextManager[Any]:
    """bfloat16 where it is asked for, and by itself on GPUs that compute in it."""
    import torch

    wanted = training.precision
    if wanted == "auto":
        able = where.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
        wanted = "bf16" if able else "fp32"
    return torch.autocast(where.type, dtype=torch.bfloat16) if wanted == "bf16" else nullcontext()


def set_determinism(wanted: bool) -> None:
    """Ask torch for kernels that give the same bits each time; where there is none it warns and goes on.

    Not covered: another number of threads or workers, another kind of machine, another version of torch.
    """
    import torch

    if wanted and not variable("CUBLAS_WORKSPACE_CONFIG"):
        set_environment({"CUBLAS_WORKSPACE_CONFIG": ":4096:8"})  # cuBLAS is deterministic only so
    torch.use_deterministic_algorithms(wanted, warn_only=True)
    # To fill memory that will be written anyway costs time, and finds only what reads it before.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]  # a property


@dataclass(frozen=True)
class Cut:
    """How an epoch is cut: into `number` batches of `size` rows, each among `world` workers, of which this is
    `rank`, and a worker's share into `pieces` that fit into memory."""

    size: int
    number: int
    rank: int
    world: int
    pieces: int


Piece = tuple["Tensor", "Tensor", "Tensor | None"]  # x, y and weight (None: all alike)


class Held:
    """The validation rows as tensors on the device, where all rows that are given fit."""

    def __init__(self, arrays: dict[str, Any], where: device) -> None:
        import torch

        size = sum(a.nbytes for a in arrays.values())
        fits = where.type == "cpu" or size < ROOM * torch.cuda.mem_get_info(where)[0]
        self.target_device, self.device = where, where if fits else torch.device("cpu")
        self.x_validation = torch.from_numpy(arrays["x_validation"]).to(self.device)
        self.y_validation = torch.from_numpy(arrays["y_validation"]).to(where)

    def take_validation(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        x = self._bring(self.x_validation.index_select(0, rows))
        return x, self.y_validation.index_select(0, rows.to(self.target_device))

    def _bring(self, values: Tensor) -> Tensor:
        if self.device == self.target_device:
            return values
        return values.pin_memory().to(self.target_device, non_blocking=True)


class Rows(Held):
    """The training rows as tensors, too; batches are taken by index."""

    def __init__(self, arrays: dict[str, Any], where: device) -> None:
        import torch

        super().__init__(arrays, where)
        self.x, self.y = (torch.from_numpy(arrays[name]).to(self.device) for name in ("x", "y"))
        weight = torch.from_numpy(arrays["weight"])
        # To gather and multiply by ones would cost as much as the target.
        self.weight = None if bool((weight == weight[0]).all()) else weight.to(self.device)

    def __len__(self) -> int:
        return len(self.x)

    def fit_batch(self, size: int, world: int) -> int:
        """The size of a batch, as near to the one asked for as can be."""
        return min(size, len(self))

    def batches(self, cut: Cut, seed: int, epoch: int) -> Iterator[Iterator[Piece]]:
        """This worker's share of each batch, in an order of seed and epoch alone."""
        order = self.shuffle(seed, epoch)
        for start in range(0, cut.number * cut.size, cut.size):
            share = order[start : start + cut.size]
            if cut.world > 1:
                share = share[cut.size * cut.rank // cut.world : cut.size * (cut.rank + 1) // cut.world]
            yield map(self.take, [share] if cut.pieces == 1 else share.tensor_split(cut.pieces))

    def shuffle(self, seed: int, epoch: int) -> Tensor:
        """The order of an epoch: the same for all workers, and for a run that goes on in the middle."""
        import torch

        generator = torch.Generator(self.device).manual_seed(seed * 100_003 + epoch)
        return torch.randperm(len(self.x), generator=generator, device=self.device)

    def take(self, rows: Tensor) -> Piece:
        """x, y and weight of the rows, on the device that computes."""
        weight = None if self.weight is None else self._bring(self.weight.index_select(0, rows))
        return self._bring(self.x.index_select(0, rows)), self._bring(self.y.index_select(0, rows)), weight


class Stream(Held):
    """The training rows as they come from this worker's shard of a Ray Dataset; see streaming.py.

    Every worker gets equally many, so a batch is a multiple of the workers.
    """

    def __init__(self, shard: Any, rows: int, arrays: dict[str, Any], where: device) -> None:
        super().__init__(arrays, where)
        self.shard, self.rows = shard, rows
        self.buffer = BUFFER // (math.prod(self.x_validation.shape[1:]) * self.x_validation.itemsize)

    def __len__(self) -> int:
        return self.rows

    def fit_batch(self, size: int, world: int) -> int:
        size = min(size, self.rows)
        return max(world, size - size % world)

    def batches(self, cut: Cut, seed: int, epoch: int) -> Iterator[Iterator[Piece]]:
        """This worker's share of each batch: rows drawn from a buffer of those that have come.

        Raises RuntimeError where fewer come than there must be.
        """
        share = cut.size // cut.world
        found = self.shard.iter_torch_batches(
            batch_size=share,
            drop_last=True,
            device=self.target_device,
            local_shuffle_buffer_size=max(share, self.buffer),
            local_shuffle_seed=(seed * 100_003 + epoch) % 2**32,
        )
        came = 0
        for batch in islice(found, cut.number):
            yield zip(*(pieces_of(batch.get(name), cut.pieces) for name in ("x", "y", "weight")), strict=True)
            came += 1
        if came < cut.number:
            raise RuntimeError(f"{came} batches of {share} rows came, and {cut.number} were to come.")


def place_rows(folder: Path, where: device, shard: Any = None) -> Rows | Stream:
    """The rows of a folder of arrays, those to learn from as arrays or as they come from a shard."""
    if shard is None:
        return Rows(load_arrays(folder), where)
    return Stream(shard, read_plan(folder).rows, load_arrays(folder, VALIDATION), where)


def pieces_of(values: Tensor | None, pieces: int) -> Sequence[Any]:
    return [None] * pieces if values is None else values.tensor_split(pieces)
