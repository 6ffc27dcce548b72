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
from typing import BinaryIO

from pipelines.config import PipelineConfig
from pipelines.environment import SLEEPING_THREADS, set_environment, silence_telemetry, variable
from pipelines.errors import DataError, EvergreenError
from pipelines.records import Attempt, TrainedModel
from pipelines.training.folder import AttemptFolder, write_whole

SETTINGS = {
    **SLEEPING_THREADS,  # a Ray Job's driver has the cluster's environment, not that of the flow
    # How often the controller looks at its workers; each epoch waits, and Ray's own 2 s were most of one.
    "RAY_TRAIN_HEALTH_CHECK_INTERVAL_S": "0.1",
}


def main(folder: AttemptFolder) -> int:
    """Run the attempt unless another process does; 0 when there is a result."""
    silence_telemetry()
    set_environment({name: value for name, value in SETTINGS.items() if variable(name) is None})
    with folder.lock.open("wb") as lock:
        if not take_lock(lock):
            return 0
        folder.pid.write_text(str(os.getpid()))
        if folder.result.exists():
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


def run(folder: AttemptFolder) -> int:
    """Train and write result.json, or error.json with what was wrong."""
    spec = json.loads(folder.spec.read_text())
    started = time.monotonic()
    try:
        config, attempt = (
            PipelineConfig.model_validate(spec["config"]),
            Attempt.model_validate(spec["attempt"]),
        )
        from pipelines.training.fitting import fit_attempt

        fitted = fit_attempt(config, attempt, folder)
    except EvergreenError as error:
        words = {"message": error.message, "hint": error.hint, "data": isinstance(error, DataError)}
        write_whole(folder.error, json.dumps(words))
        return 1
    except Exception as error:  # noqa: BLE001  (whatever it was, who waits must learn of it)
        traceback.print_exc()
        write_whole(folder.error, json.dumps({"message": f"{type(error).__name__}: {error}"[:2000]}))
        return 1
    write_result(folder, attempt, fitted.kind, fitted.details, time.monotonic() - started)
    return 0


def write_result(
    folder: AttemptFolder, attempt: Attempt, kind: str, details: dict[str, float], seconds: float
) -> None:
    """Seal the bundle with the hash of each file."""
    from pipelines.models.bundle import hash_files

    trained = TrainedModel(
        attempt=attempt.id,
        kind=kind,
        folder=str(folder.bundle),
        files=hash_files(folder.bundle),
        seconds=round(seconds, 2),
        details=details,
    )
    write_whole(folder.result, trained.model_dump_json())


if __name__ == "__main__":
    sys.exit(main(AttemptFolder(Path(sys.argv[1]))))
