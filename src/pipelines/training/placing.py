"""Where rows and arithmetic are: the device, its precision, and rows gathered there by index."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any

from pipelines.config import Training
from pipelines.environment import set_environment, variable

if TYPE_CHECKING:
    from torch import Tensor, device

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


class Rows:
    """Training and validation rows as tensors on the device, where they fit; batches are taken by index."""

    def __init__(self, arrays: dict[str, Any], where: device) -> None:
        import torch

        size = sum(a.nbytes for a in arrays.values())
        fits = where.type == "cpu" or size < ROOM * torch.cuda.mem_get_info(where)[0]
        self.target_device, self.device = where, where if fits else torch.device("cpu")
        tensors = {name: torch.from_numpy(array) for name, array in arrays.items()}
        weight = tensors["weight"]
        self.x, self.y = (tensors[name].to(self.device) for name in ("x", "y"))
        # To gather and multiply by ones would cost as much as the target.
        self.weight = None if bool((weight == weight[0]).all()) else weight.to(self.device)
        self.x_validation = tensors["x_validation"].to(self.device)
        self.y_validation = tensors["y_validation"].to(where)

    def __len__(self) -> int:
        return len(self.x)

    def shuffle(self, seed: int, epoch: int) -> Tensor:
        """The order of an epoch: the same for all workers, and for a run that goes on in the middle."""
        import torch

        generator = torch.Generator(self.device).manual_seed(seed * 100_003 + epoch)
        return torch.randperm(len(self.x), generator=generator, device=self.device)

    def take(self, rows: Tensor) -> tuple[Tensor, Tensor, Tensor | None]:
        """x, y and weight (None: all alike) of the rows, on the device that computes."""
        weight = None if self.weight is None else self._bring(self.weight.index_select(0, rows))
        return self._bring(self.x.index_select(0, rows)), self._bring(self.y.index_select(0, rows)), weight

    def take_validation(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        x = self._bring(self.x_validation.index_select(0, rows))
        return x, self.y_validation.index_select(0, rows.to(self.target_device))

    def _bring(self, values: Tensor) -> Tensor:
        if self.device == self.target_device:
            return values
        return values.pin_memory().to(self.target_device, non_blocking=True)
