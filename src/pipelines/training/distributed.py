"""Ray: what the cluster has for a training, and workers that train together."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipelines.config import Training
from pipelines.environment import set_environment, variable
from pipelines.errors import EvergreenError, TrainingFailed
from pipelines.training.folder import read_error
from pipelines.training.job import FitJob

Workers = int | tuple[int, int]
# How long elastic workers wait for room that was there a moment ago: a node that has just died still counts,
# and then fewer are asked for.
ROOM_SECONDS = "10"


@dataclass(frozen=True)
class Resources:
    """What a training gets: workers (0: the driver's own process; a pair: least and most), and for each the
    threads it computes with and its GPUs."""

    workers: Workers
    cpus: int = 0
    gpus: float = 0.0

    @property
    def most(self) -> int:
        return self.workers if isinstance(self.workers, int) else self.workers[1]


def connect_ray() -> None:
    """Join the cluster at RAY_ADDRESS, or start a small one of our own; may be called again."""
    import ray

    if ray.is_initialized():
        return
    cluster = variable("RAY_ADDRESS")
    # Dashboard and watch for preemption cost seconds, and nobody looks at a cluster that ends with us.
    if not cluster:
        set_environment({"RAY_TRAIN_ENABLE_PREEMPTION_WATCHER": "0"})
    # A worker that changed its folder would find neither the user's modules nor a relative path.
    set_environment({"RAY_CHDIR_TO_TRIAL_DIR": "0"})
    ray.init(address=cluster, include_dashboard=None if cluster else False, log_to_driver=True)


def plan_resources(training: Training) -> Resources:
    """The workers to train with, and what each gets.

    `auto` is a worker for each GPU, or one on a cluster without; without a cluster the driver's own process,
    and then Ray is not imported. Raises EvergreenError, at once, where the nodes that are there can never
    hold so many: Ray would wait for them. Where rows are streamed there is always a Ray, and a CPU to read.
    """
    asked = training.workers
    if asked == 0 or (asked == "auto" and not variable("RAY_ADDRESS") and training.stream is not True):
        return Resources(0)
    connect_ray()
    return divide(alive_nodes(), training)


def alive_nodes() -> list[dict[str, float]]:
    """The resources of each node of the cluster."""
    import ray

    return [node["Resources"] for node in ray.nodes() if node["Alive"]]


def divide(nodes: list[dict[str, float]], training: Training) -> Resources:
    """`plan_resources` for given nodes, each with `CPU` and `GPU`."""
    cpus = sum(node.get("CPU", 0) for node in nodes)
    all_gpus = sum(node.get("GPU", 0) for node in nodes)
    gpus = (1.0 if all_gpus else 0.0) if training.gpus == "auto" else training.gpus
    reading = 1 if training.stream is True else 0
    room = min(sum(fitting(node, gpus) for node in nodes), int(cpus) - reading)
    asked = training.workers
    workers: Workers = (max(1, room) if gpus else 1) if asked == "auto" else asked
    least = workers if isinstance(workers, int) else workers[0]
    if least > room:
        each = f"a CPU and {gpus:g} GPUs" if gpus else "a CPU"
        raise EvergreenError(
            f"training.workers: {least} asked for, each with {each}, but the cluster has {cpus:g} CPUs and"
            f" {all_gpus:g} GPUs in all (nodes: {len(nodes)}), room for {room}"
            + (" beside the CPU that reads the stream." if reading else "."),
            f"Ask for at most {room}."
            if room
            else f"Set training.{'gpus: 0' if gpus else 'stream: false'}, or start a cluster that has them.",
        )
    most = min(workers if isinstance(workers, int) else workers[1], room)
    if reading and not isinstance(workers, int):
        workers = (least, most)  # more of them would take the CPU that reads
    # Threads follow from the cluster, not from what is free at the moment: their number changes the rounding.
    threads = max(1, int(cpus // most))
    return Resources(workers, min(threads, int(max(node.get("CPU", 1) for node in nodes))), gpus)


def fitting(node: dict[str, float], gpus: float) -> int:
    """How many processes of a CPU and `gpus` each a node can hold: a fraction is of one device."""
    by_cpu, devices = int(node.get("CPU", 0)), int(node.get("GPU", 0))
    if not gpus:
        return by_cpu
    return min(by_cpu, devices * int(1 / gpus + 1e-9) if gpus < 1 else devices // int(gpus))


# ------------------------------------------------------------------------------------------------ training


def train_on_workers(job: FitJob, resources: Resources) -> None:
    """Train by Ray Train; a driver that is started again goes on from the checkpoints under the job's name.

    Raises EvergreenError with the loop's words, and TrainingFailed where workers died too often.
    """
    from ray.train import ScalingConfig, TrainingFailedError
    from ray.train.torch import TorchConfig, TorchTrainer

    from pipelines.training.streaming import make_dataset
    from pipelines.training.worker import FAILURE, train_loop

    trainer = TorchTrainer(
        train_loop,
        train_loop_config={
            "job": job.model_dump(mode="json"),
            "cpus": resources.cpus,
            "gpus": resources.gpus,
        },
        scaling_config=ScalingConfig(
            num_workers=resources.workers,
            use_gpu=resources.gpus > 0,
            resources_per_worker={"CPU": 1} | ({"GPU": resources.gpus} if resources.gpus else {}),
        ),
        # NCCL refuses two workers on one GPU.
        torch_config=TorchConfig(backend="gloo" if 0 < resources.gpus < 1 else None),
        run_config=run_config(job),
        datasets={"train": make_dataset(job)} if job.training.stream is True else None,
    )
    failure = job.place / FAILURE
    failure.unlink(missing_ok=True)  # an earlier driver's
    if not isinstance(resources.workers, int):
        set_environment({"RAY_TRAIN_WORKER_GROUP_START_TIMEOUT_S": ROOM_SECONDS})
    try:
        trainer.fit()
    except TrainingFailedError as error:
        raise read_error(failure) or died_too_often(job, error) from error
    if found := read_error(failure):
        raise found


def died_too_often(job: FitJob, last: Exception | None) -> TrainingFailed:
    """What to raise where workers died more often than a job survives; `last` is how it went at last."""
    return TrainingFailed(
        f"The workers failed more than {job.training.failures} times: {str(last).strip()[-1500:]}",
        "Raise training.failures where machines come and go; else mend what they say.",
    )


def run_config(job: FitJob) -> Any:
    """Where checkpoints go and how many deaths are survived: both budgets finite, where Ray's is not."""
    from ray.train import CheckpointConfig, FailureConfig, RunConfig

    path, files = storage(job)
    budget = job.training.failures
    more = 10 * (budget + 1)  # elastic workers that find no room are no death, and are told so soon
    return RunConfig(
        name=job.name,
        storage_path=path,
        storage_filesystem=files,
        checkpoint_config=CheckpointConfig(num_to_keep=2),
        failure_config=FailureConfig(
            max_failures=budget,
            controller_failure_limit=budget if isinstance(job.training.workers, int | str) else more,
            max_preemption_failures=more,
        ),
    )


def storage(job: FitJob) -> tuple[str, Any]:
    """Path and file system of the checkpoints: the attempt's folder, or any address that fsspec knows."""
    address = job.training.checkpoints
    if address is None:
        return str(job.root / "ray"), None
    from fsspec.core import url_to_fs
    from pyarrow.fs import FSSpecHandler, PyFileSystem

    files, path = url_to_fs(address)
    if "file" in files.protocol:
        return str(Path(path).absolute()), None
    return path, PyFileSystem(FSSpecHandler(files))
