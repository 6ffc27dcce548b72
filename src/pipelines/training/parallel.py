"""How a network learns with others: alone, with a copy on every worker (DDP), or with a shard on each (FSDP).

Torch's process group must stand already: a team's workers set it up, or Ray Train does.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from torch import Tensor, device, nn

# Weights, their gradients and AdamW's two moments, float32 each.
BYTES_PER_PARAMETER = 16
LARGE = 0.25  # share of a device's memory from which a model is sharded: activations want the rest


class Alone:
    """One worker; the words that `Copies` and `Shards` say otherwise."""

    rank, world = 0, 1

    def wrap(self, network: nn.Module, model: Any) -> Any:
        """What is called in training; `model` is the network, or its compiled form."""
        return model

    def piece(self, model: Any, last: bool) -> AbstractContextManager[None]:
        """Around forward and backward of a piece of a batch: only the last one's gradients are exchanged."""
        return nullcontext()

    def sum(self, values: Tensor) -> Tensor:
        """The sum over all workers, on each of them."""
        return values

    def gather(self, values: Tensor) -> Tensor:
        """All workers' rows, in the order of their ranks; each brings equally many."""
        return values

    def weights(self, network: nn.Module) -> dict[str, Any]:
        """A copy of the whole state, on the CPU; of a sharded network on rank 0 alone, but all must call."""
        return {k: v.detach().to("cpu", copy=True) for k, v in network.state_dict().items()}

    def load_weights(self, network: nn.Module, state: dict[str, Any]) -> None:
        network.load_state_dict(state)

    def moments(self, network: nn.Module, optimizer: Any) -> dict[str, Any]:
        """The optimizer's state, whole."""
        state: dict[str, Any] = optimizer.state_dict()
        return state

    def load_moments(self, network: nn.Module, optimizer: Any, state: dict[str, Any]) -> None:
        optimizer.load_state_dict(state)


class Copies(Alone):
    """Distributed data parallel: every worker holds the network, gradients are averaged in backward."""

    def __init__(self) -> None:
        import torch.distributed as dist

        self.rank, self.world = dist.get_rank(), dist.get_world_size()

    def wrap(self, network: nn.Module, model: Any) -> Any:
        from torch.nn.parallel import DistributedDataParallel

        where = next(network.parameters()).device
        return DistributedDataParallel(
            model, device_ids=[where] if where.type == "cuda" else None, gradient_as_bucket_view=True
        )

    def piece(self, model: Any, last: bool) -> AbstractContextManager[None]:
        return nullcontext() if last else model.no_sync()

    def sum(self, values: Tensor) -> Tensor:
        import torch.distributed as dist

        values = values.clone()
        dist.all_reduce(values)
        return values

    def gather(self, values: Tensor) -> Tensor:
        import torch
        import torch.distributed as dist

        found = [torch.empty_like(values) for _ in range(self.world)]
        dist.all_gather(found, values.contiguous())
        return torch.cat(found)


class Shards(Copies):
    """Fully sharded: each worker holds a part of every weight, its gradient and its moments."""

    def wrap(self, network: nn.Module, model: Any) -> Any:
        from torch.distributed.device_mesh import init_device_mesh
        from torch.distributed.fsdp import fully_shard

        where = next(network.parameters()).device.type
        mesh = init_device_mesh(where, (self.world,))
        for layer in large_layers(network):
            fully_shard(layer, mesh=mesh)
        fully_shard(network, mesh=mesh)
        return network if model is network else model

    def piece(self, model: Any, last: bool) -> AbstractContextManager[None]:
        model.set_requires_gradient_sync(last)
        return nullcontext()

    def weights(self, network: nn.Module) -> dict[str, Any]:
        from torch.distributed.checkpoint.state_dict import get_model_state_dict

        return get_model_state_dict(network, options=whole_state())

    def load_weights(self, network: nn.Module, state: dict[str, Any]) -> None:
        from torch.distributed.checkpoint.state_dict import set_model_state_dict

        set_model_state_dict(network, state, options=whole_state())

    def moments(self, network: nn.Module, optimizer: Any) -> dict[str, Any]:
        from torch.distributed.checkpoint.state_dict import get_optimizer_state_dict

        return dict(get_optimizer_state_dict(network, optimizer, options=whole_state()))

    def load_moments(self, network: nn.Module, optimizer: Any, state: dict[str, Any]) -> None:
        from torch.distributed.checkpoint.state_dict import set_optimizer_state_dict

        set_optimizer_state_dict(network, optimizer, state, options=whole_state())


def whole_state() -> Any:
    """Checkpoints hold whole tensors, so that another number of workers can go on from them."""
    from torch.distributed.checkpoint.state_dict import StateDictOptions

    return StateDictOptions(full_state_dict=True, cpu_offload=True)


def large_layers(network: nn.Module) -> list[nn.Module]:
    """The children that a list or a sequence holds: gathered one after the other, not all at once."""
    from torch import nn

    groups = [m for m in network.modules() if isinstance(m, nn.ModuleList | nn.Sequential)]
    layers = [child for group in groups[:1] for child in group.children()]
    return [layer for layer in layers if any(True for _ in layer.parameters())]


def choose_parallel(network: nn.Module, strategy: Literal["auto", "ddp", "fsdp"], where: device) -> Alone:
    """How the workers of this process group learn together; without a group, alone.

    `auto` shards where weights, gradients and moments would fill a quarter of the GPU's memory.
    """
    import torch
    import torch.distributed as dist

    if not dist.is_available() or not dist.is_initialized():
        return Alone()
    if strategy == "auto" and where.type == "cuda":
        needed = BYTES_PER_PARAMETER * sum(p.numel() for p in network.parameters())
        strategy = "fsdp" if needed > LARGE * torch.cuda.mem_get_info(where)[1] else "ddp"
    if strategy == "fsdp":
        return Shards()
    return Copies() if dist.get_world_size() > 1 else Alone()
