"""What runs on workers: the loop, in each actor of an attempt's team or of Ray Train's."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from importlib import import_module
from pathlib import Path
from typing import Any

from pipelines.environment import set_environment, silence_telemetry
from pipelines.errors import ConfigError, EvergreenError
from pipelines.training.checkpoints import STATE, read_state, state_bytes
from pipelines.training.distributed import Resources
from pipelines.training.folder import AttemptFolder, write_error
from pipelines.training.job import FitJob
from pipelines.training.usage import Meter

FAILURE = "failure.json"


class Trainer:
    """An actor of an attempt's team; what it imports is there before the first job comes."""

    def __init__(self, folder: AttemptFolder, resources: Resources) -> None:
        silence_telemetry()
        self.world = resources.most
        self.meter = Meter(folder, "worker", resources.gpus)
        self.meter.__enter__()
        if not resources.gpus:  # those of others are none of ours
            set_environment({"CUDA_VISIBLE_DEVICES": ""})
        for name in ("torch._dynamo", "pipelines.training.loop"):  # torch's optimizers bring the first
            import_module(name)
        import torch

        torch.set_num_threads(resources.cpus)

    def train(self, job: FitJob, rank: int, meeting: Path) -> None:
        """Train to the end, from the job's last checkpoint on if it has one. Raises EvergreenError."""
        from pipelines.training.loop import train_here

        with process_group(meeting, rank, self.world) if self.world > 1 else nullcontext():
            train_here(job)

    def end(self) -> None:
        """Say what was used: nothing comes after."""
        self.meter.__exit__(None, None, None)


@contextmanager
def process_group(meeting: Path, rank: int, world: int) -> Iterator[None]:
    """Torch's, over Gloo; its members find each other by a file, where a port could be another's by then."""
    import torch.distributed as dist

    dist.init_process_group("gloo", init_method=f"file://{meeting}", rank=rank, world_size=world)
    try:
        yield
    finally:
        dist.destroy_process_group()


def train_loop(settings: dict[str, Any]) -> None:
    """Train to the end, with the others; a worker that is started again goes on from the last checkpoint.

    What no retry can mend, as a loss that is no number, ends all workers: FAILURE says it then.
    """
    silence_telemetry()
    job = FitJob.model_validate(settings["job"])
    failure = job.place / FAILURE
    if failure.exists():
        return
    try:
        with Meter(AttemptFolder(job.root), "worker", settings["gpus"]):
            train(job, settings["cpus"])
    except EvergreenError as error:
        write_error(failure, error)
        if isinstance(error, ConfigError):  # raised by this one's rows alone, maybe: the others must not wait
            raise


def train(job: FitJob, threads: int) -> None:
    """The epochs, each reported with its checkpoint: all workers report, rank 0 brings the files."""
    import ray.train
    import ray.train.torch as ray_torch
    import torch

    from pipelines.training.loop import Loop

    torch.set_num_threads(threads)
    shard = ray.train.get_dataset_shard("train") if job.training.stream is True else None
    loop = Loop(job, ray_torch.get_device(), shard)
    if (checkpoint := ray.train.get_checkpoint()) is not None:
        with checkpoint.as_directory() as folder:
            loop.restore(read_state(Path(folder) / STATE, loop.device))
    for told in loop.epochs():
        state = loop.state()
        with tempfile.TemporaryDirectory() as folder:
            written = None
            if loop.rank == 0:
                (Path(folder) / STATE).write_bytes(state_bytes(state))
                written = ray.train.Checkpoint.from_directory(folder)
            ray.train.report({"epoch": told["epoch"], "loss": told["loss"]}, checkpoint=written)
    loop.write_best()
