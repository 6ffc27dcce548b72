"""Where a training keeps what its next epoch depends on, until it has ended."""

from __future__ import annotations

import io
import shutil
from pathlib import Path
from typing import Any

from pipelines.errors import writing
from pipelines.progress import log
from pipelines.training.job import FitJob

STATE = "state.pt"


class Checkpoints:
    """The last state of a job: in its place, or below `training.checkpoints`, any address fsspec knows."""

    def __init__(self, job: FitJob) -> None:
        from fsspec.core import url_to_fs

        address = job.training.checkpoints
        place = f"{address.rstrip('/')}/{job.name}" if address else str(job.place / "checkpoint")
        self.files, self.folder = url_to_fs(place)

    def load(self, device: Any) -> dict[str, Any] | None:
        """The last state that was saved whole; None at the beginning."""
        path = f"{self.folder}/{STATE}"
        if not self.files.exists(path):
            return None
        return read_state(io.BytesIO(self.files.cat_file(path)), device)

    def save(self, state: dict[str, Any]) -> None:
        """Take the last one's place, at once; where the disk is full, EvergreenError: the last one stands."""
        draft, path = f"{self.folder}/{STATE}.part", f"{self.folder}/{STATE}"
        with writing("the checkpoint", Path(self.folder), "the training goes on from the last one"):
            self.files.makedirs(self.folder, exist_ok=True)
            self.files.pipe_file(draft, state_bytes(state))
            self.files.mv(draft, path)

    def remove(self) -> None:
        """Nothing goes on from them any more. A storage that refuses is a warning: the model is there."""
        try:
            if self.files.exists(self.folder):
                self.files.rm(self.folder, recursive=True)
        except OSError as error:
            log.warning("Checkpoints are left in %s: %s", self.folder, error)


def remove_checkpoints(job: FitJob) -> None:
    """Those of a network's fit, whoever kept them: the loop, or Ray Train in its folder or in storage."""
    if job.description.network:
        Checkpoints(job).remove()
        shutil.rmtree(job.root / "ray" / job.name, ignore_errors=True)


def state_bytes(state: dict[str, Any]) -> bytes:
    """The state as torch saves it: in memory first, since torch does not say that a disk is full."""
    import torch

    file = io.BytesIO()
    torch.save(state, file)
    return file.getvalue()


def read_state(file: io.BytesIO | Path, device: Any) -> dict[str, Any]:
    """What `state_bytes` wrote; nothing in it is executed."""
    import torch

    state: dict[str, Any] = torch.load(file, weights_only=True, map_location=device)
    state["best_state"] = {name: value.cpu() for name, value in state["best_state"].items()}
    return state
