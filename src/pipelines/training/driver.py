"""`python -m pipelines.training.driver FOLDER`: the process of one attempt, from snapshot to bundle.

It reads spec.json and writes result.json, or error.json where the attempt cannot succeed. Killed at any
moment and started again, it goes on from the last checkpoint. With `--wait` in the folder's place it imports
what it will need and reads the folder from its standard input.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import time
import traceback
from pathlib import Path
from typing import BinaryIO

from pipelines.config import PipelineConfig
from pipelines.config.learning import is_network
from pipelines.environment import SLEEPING_THREADS, set_environment, silence_telemetry, variable
from pipelines.errors import EvergreenError, TrainingFailed
from pipelines.files import write_whole
from pipelines.lock import try_lock
from pipelines.progress import log
from pipelines.records import Attempt, TrainedModel
from pipelines.training.distributed import alive_nodes, connect_ray, plan_resources
from pipelines.training.folder import AttemptFolder, write_error
from pipelines.training.job import Fitted
from pipelines.training.team import team_ahead
from pipelines.training.usage import Meter

SETTINGS = {
    **SLEEPING_THREADS,  # a Ray Job's driver has the cluster's environment, not that of the flow
    # How often the controller looks at its workers; each epoch waits, and Ray's own 2 s were most of one.
    "RAY_TRAIN_HEALTH_CHECK_INTERVAL_S": "0.1",
}


def main(folder: AttemptFolder) -> int:
    """Run the attempt unless another process does; 0 when there is a result."""
    arrange()
    with folder.lock.open("wb") as lock:
        if not take_lock(lock):
            return 0
        folder.pid.write_text(str(os.getpid()))
        if not folder.result.exists():
            tell_log()
            with Meter(folder, "driver"), folder.beating():
                if run(folder) != 0:
                    return 1
        folder.remove_arrays()
        return 0


def wait_for_attempt() -> AttemptFolder | None:
    """Import what is slow, then read the attempt's folder and take its log; None if none comes."""
    arrange()
    warm_imports()
    folder = AttemptFolder(Path(sys.stdin.read() or "/dev/null"))
    if not folder.root.is_dir():
        return None
    with folder.log.open("ab") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    return folder


def tell_log() -> None:
    """What is told of the course of things goes to standard error: the attempt's log, and Ray's."""
    log.addHandler(logging.StreamHandler())
    log.setLevel(logging.INFO)


def arrange() -> None:
    """What must be set before anything heavy is imported."""
    silence_telemetry()
    set_environment({name: value for name, value in SETTINGS.items() if variable(name) is None})


def take_lock(lock: BinaryIO) -> bool:
    """Whether this process is the attempt's driver.

    A few tries, since whoever asks `is_locked` holds it for a moment.
    """
    for _ in range(10):
        if try_lock(lock.fileno()):
            return True
        time.sleep(0.02)
    return False


def run(folder: AttemptFolder) -> int:
    """Train and write result.json, or error.json with what was wrong.

    Where a process of Ray's died under this one, `fault` says which, and this one is to be started again.
    """
    spec = json.loads(folder.spec.read_text())
    began = time.time()
    try:
        config = PipelineConfig.model_validate(spec["config"])
        attempt = Attempt.model_validate(spec["attempt"])
        resources = plan_resources(config.training)  # what cannot be had is said before anything is done
        check_concurrent(config, folder)
        with team_ahead(config, resources, folder):
            from pipelines.training.fitting import fit_attempt

            imported = time.time()
            fitted = fit_attempt(config, attempt, folder)
    except EvergreenError as error:
        log.error("%s %s", error.message, error.hint or "")
        write_error(folder.error, error)
        return 1
    except Exception as error:  # noqa: BLE001  (whatever it was, who waits must learn of it)
        traceback.print_exc()
        if death := find_death(error):
            write_whole(folder.fault, f"{death} died")
        else:
            write_error(folder.error, TrainingFailed(f"{type(error).__name__}: {error}"[:2000]))
        return 1
    parts = {
        "start": began - spec.get("asked", began),
        "import": imported - began,
        **split_time(folder, imported),
    }
    write_result(folder, attempt, fitted, parts)
    return 0


def check_concurrent(config: PipelineConfig, folder: AttemptFolder) -> None:
    """Raise EvergreenError where a cluster can never run as many trials at a time as are asked for."""
    if config.tuning and variable("RAY_ADDRESS") and not folder.tuned.exists():
        from pipelines.training.tuning import plan_trials

        connect_ray()
        plan_trials(config.training, is_network(config.model.kind), config.tuning, alive_nodes())


def find_death(error: BaseException | None) -> str:
    """Which process of Ray's died, where that is what the error says; else empty."""
    ray = sys.modules.get("ray")
    while error is not None and ray is not None:
        if isinstance(error, ray.exceptions.RayError) and not isinstance(error, ray.exceptions.RayTaskError):
            return f"a process of Ray's ({type(error).__name__})"
        error = error.__cause__
    return ""


def split_time(folder: AttemptFolder, since: float) -> dict[str, float]:
    """Seconds of an attempt's course, by what it told.

    prepare: until the arrays were there; gather: until the first epoch, while workers start; epochs; between:
    from one epoch to the next (checkpoints, a second fit); wind_down: after the last one.
    """
    now, arrays = time.time(), folder.arrays
    prepared = max([since, *(file.stat().st_mtime for file in arrays.glob("*.npy"))])
    told = (row for row in folder.read_epochs() if row["model"] != "tuning")  # trials run side by side
    epochs = [row for row in told if row.get("time", 0.0) - row["seconds"] >= since]
    if not epochs:
        return {"prepare": prepared - since, "fit": now - prepared}
    first, last = epochs[0]["time"] - epochs[0]["seconds"], epochs[-1]["time"]
    trained = sum(row["seconds"] for row in epochs)
    return {
        "prepare": prepared - since,
        "gather": first - prepared,
        "epochs": trained,
        "between": last - first - trained,
        "wind_down": now - last,
    }


def write_result(folder: AttemptFolder, attempt: Attempt, fitted: Fitted, parts: dict[str, float]) -> None:
    """Seal the bundle with the hash of each file."""
    from pipelines.models.bundle import hash_files

    trained = TrainedModel(
        attempt=attempt.id,
        kind=fitted.kind,
        folder=str(folder.bundle),
        files=hash_files(folder.bundle),
        seconds=round(sum(parts.values()), 2),
        details={"threads": float(count_threads())} | fitted.details,
        parts={name: round(seconds, 3) for name, seconds in parts.items()},
    )
    write_whole(folder.result, trained.model_dump_json())
    log.info("%s is trained: %s, %.1f s", attempt.id, fitted.kind, trained.seconds)


def count_threads() -> int:
    """Threads that arithmetic was cut among: the rounding of its sums depends on it."""
    torch = sys.modules.get("torch")
    return torch.get_num_threads() if torch else len(os.sched_getaffinity(0))


def warm_imports() -> None:
    """What every training needs; torch's compiler comes with its optimizers, whether used or not."""
    from importlib import import_module

    names = ["pandas", "deltalake", "sklearn.compose", "sklearn.ensemble", "skops.io", "torch._dynamo"]
    for name in [*names, "pipelines.training.fitting"]:
        import_module(name)


if __name__ == "__main__":
    found = wait_for_attempt() if sys.argv[1] == "--wait" else AttemptFolder(Path(sys.argv[1]))
    sys.exit(main(found) if found else 0)
