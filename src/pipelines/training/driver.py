"""`python -m pipelines.training.driver FOLDER`: the process of one attempt, from snapshot to bundle.

It reads spec.json and writes result.json, or error.json where the attempt cannot succeed. Killed at any
moment and started again, it goes on from the last checkpoint.
"""

from __future__ import annotations

import fcntl
import json
import os
import sys
import time
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from pipelines.config import PipelineConfig
from pipelines.environment import SLEEPING_THREADS, set_environment, silence_telemetry, variable
from pipelines.errors import DataError, EvergreenError
from pipelines.records import Attempt, TrainedModel
from pipelines.training.attempts import write_whole

if TYPE_CHECKING:
    from pipelines.models.bundle import Description

SETTINGS = {
    **SLEEPING_THREADS,  # a Ray Job's driver has the cluster's environment, not that of the flow
    # How often the controller looks at its workers; each epoch waits, and Ray's own 2 s were most of one.
    "RAY_TRAIN_HEALTH_CHECK_INTERVAL_S": "0.1",
}


def main(folder: Path) -> int:
    """Run the attempt unless another process does; 0 when there is a result."""
    silence_telemetry()
    set_environment({name: value for name, value in SETTINGS.items() if variable(name) is None})
    with (folder / "lock").open("wb") as lock:
        if not take_lock(lock):
            return 0
        (folder / "pid").write_text(str(os.getpid()))
        if (folder / "result.json").exists():
            return 0
        return run(folder)


def take_lock(lock: BinaryIO) -> bool:
    """Whether this process is the attempt's driver.

    A few tries, since whoever asks `is_locked` holds it for a moment.
    """
    for _ in range(10):
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(0.02)
        else:
            return True
    return False


def run(folder: Path) -> int:
    """Train and write result.json, or error.json with what was wrong."""
    spec = json.loads((folder / "spec.json").read_text())
    started = time.monotonic()
    try:
        config, attempt = (
            PipelineConfig.model_validate(spec["config"]),
            Attempt.model_validate(spec["attempt"]),
        )
        details = train(config, attempt, folder)
    except EvergreenError as error:
        words = {"message": error.message, "hint": error.hint, "data": isinstance(error, DataError)}
        write_whole(folder / "error.json", json.dumps(words))
        return 1
    except Exception as error:  # noqa: BLE001  (whatever it was, who waits must learn of it)
        traceback.print_exc()
        write_whole(folder / "error.json", json.dumps({"message": f"{type(error).__name__}: {error}"[:2000]}))
        return 1
    write_result(folder, attempt, config, details, time.monotonic() - started)
    return 0


def write_result(
    folder: Path, attempt: Attempt, config: PipelineConfig, details: dict[str, float], seconds: float
) -> None:
    """Seal the bundle with the hash of each file."""
    from pipelines.models.bundle import hash_files

    bundle = folder / "bundle"
    trained = TrainedModel(
        attempt=attempt.id,
        kind=config.model.kind,
        folder=str(bundle),
        files=hash_files(bundle),
        seconds=round(seconds, 2),
        details=details,
    )
    write_whole(folder / "result.json", trained.model_dump_json())


def train(config: PipelineConfig, attempt: Attempt, folder: Path) -> dict[str, float]:
    """From snapshot to a bundle in `folder`; numbers worth keeping."""
    from pipelines.training.arrays import prepare_arrays

    description = prepare_arrays(config, attempt, folder)
    if config.model.kind == "gradient_boosting":
        return fit_boosting(folder, description, config.training.seed)
    return fit_network(config, attempt, folder, description)


def fit_boosting(folder: Path, description: Description, seed: int) -> dict[str, float]:
    """scikit-learn's histogram gradient boosting on the same matrix that the network reads."""
    import numpy as np
    import skops.io
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

    from pipelines.training.arrays import load_arrays

    data = load_arrays(folder)
    kind = (
        HistGradientBoostingRegressor if description.task == "regression" else HistGradientBoostingClassifier
    )
    coded = np.arange(data["x"].shape[1]) >= description.numbers
    model = kind(random_state=seed, categorical_features=coded if coded.any() else None)
    model.fit(data["x"], data["y"], sample_weight=data["weight"])
    skops.io.dump(model, folder / "bundle" / "estimator.skops")
    return {"iterations": float(model.n_iter_)}


def fit_network(
    config: PipelineConfig, attempt: Attempt, folder: Path, description: Description
) -> dict[str, float]:
    """The built-in network by Ray Train; the best epoch's weights go into the bundle."""
    import ray
    from ray.train import CheckpointConfig, FailureConfig, RunConfig, ScalingConfig
    from ray.train.torch import TorchTrainer

    from pipelines.training.loop import train_loop

    workers, gpu = choose_workers(config)
    settings: dict[str, Any] = {
        "folder": str(folder),
        "training": config.training.model_dump(mode="json"),
        "description": description.model_dump(mode="json"),
        "in_process": workers == 0,
    }
    trainer = TorchTrainer(
        train_loop,
        train_loop_config=settings,
        scaling_config=ScalingConfig(num_workers=workers, use_gpu=gpu),
        # The name is what Ray resumes by: a driver that is started again finds its checkpoints under it.
        run_config=RunConfig(
            name=attempt.id,
            storage_path=str(folder / "ray"),
            checkpoint_config=CheckpointConfig(num_to_keep=2),
            failure_config=FailureConfig(max_failures=3, controller_failure_limit=3),
        ),
    )
    trainer.fit()
    if ray.is_initialized():
        ray.shutdown()
    numbers: dict[str, float] = json.loads((folder / "best.json").read_text())
    return {**numbers, "workers": float(workers)}


def choose_workers(config: PipelineConfig) -> tuple[int, bool]:
    """How many workers, and whether each has a GPU.

    Raises EvergreenError where the cluster can never give so many.
    """
    import ray
    import torch

    cluster = variable("RAY_ADDRESS")
    asked = config.training.workers
    if not cluster and asked in ("auto", 0):
        return 0, torch.cuda.is_available()
    # An own small cluster is started where there is none; dashboard and watch for preemption cost seconds.
    if not cluster:
        set_environment({"RAY_TRAIN_ENABLE_PREEMPTION_WATCHER": "0"})
    ray.init(address=cluster, include_dashboard=None if cluster else False, log_to_driver=True)
    have = ray.cluster_resources()
    cpus, gpus = int(have.get("CPU", 0)), int(have.get("GPU", 0))
    workers = (gpus or 1) if asked == "auto" else int(asked)
    most = gpus or cpus
    if workers > most:
        raise EvergreenError(
            f"training.workers: {workers} asked for, but the cluster has {cpus} CPUs and {gpus} GPUs in all.",
            f"Ask for at most {most}.",
        )
    return workers, gpus > 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
