"""Ray Train: as many workers as asked for, and a cluster that has them."""

from __future__ import annotations

from pipelines.config import Training
from pipelines.environment import set_environment, variable
from pipelines.errors import EvergreenError
from pipelines.training.job import FitJob


def connect_ray() -> None:
    """Join the cluster at RAY_ADDRESS, or start a small one of our own; may be called again."""
    import ray

    if ray.is_initialized():
        return
    cluster = variable("RAY_ADDRESS")
    # Dashboard and watch for preemption cost seconds, and nobody looks at a cluster that ends with us.
    if not cluster:
        set_environment({"RAY_TRAIN_ENABLE_PREEMPTION_WATCHER": "0"})
    ray.init(address=cluster, include_dashboard=None if cluster else False, log_to_driver=True)


def choose_workers(training: Training) -> int:
    """How many workers to train with; 0 is this process alone.

    Raises EvergreenError where the cluster can never give so many.
    """
    asked = training.workers
    if asked == 0 or (asked == "auto" and not variable("RAY_ADDRESS")):
        return 0
    import ray

    connect_ray()
    have = ray.cluster_resources()
    cpus, gpus = int(have.get("CPU", 0)), int(have.get("GPU", 0))
    workers = (gpus or 1) if asked == "auto" else int(asked if isinstance(asked, int) else asked[1])
    most = gpus or cpus
    if workers > most:
        raise EvergreenError(
            f"training.workers: {workers} asked for, but the cluster has {cpus} CPUs and {gpus} GPUs in all.",
            f"Ask for at most {most}.",
        )
    return workers


def train_on_workers(job: FitJob, workers: int) -> None:
    """Train by Ray Train; a driver that is started again finds its checkpoints under the job's name."""
    from ray.train import CheckpointConfig, FailureConfig, RunConfig, ScalingConfig
    from ray.train.torch import TorchTrainer

    from pipelines.training.worker import train_loop

    trainer = TorchTrainer(
        train_loop,
        train_loop_config=job.model_dump(mode="json"),
        scaling_config=ScalingConfig(num_workers=workers, use_gpu=has_gpu()),
        run_config=RunConfig(
            name=job.name,
            storage_path=str(job.root / "ray"),
            checkpoint_config=CheckpointConfig(num_to_keep=2),
            failure_config=FailureConfig(
                max_failures=job.training.failures, controller_failure_limit=job.training.failures
            ),
        ),
    )
    trainer.fit()


def has_gpu() -> bool:
    import ray

    return bool(ray.cluster_resources().get("GPU", 0))
