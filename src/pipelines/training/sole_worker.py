"""One worker: a Ray actor of the attempt, asked for early, that serves every fit.

Ray Train starts five processes one after another so that workers agree; one has nobody to agree with.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from pipelines.config import PipelineConfig
from pipelines.errors import EvergreenError, TrainingFailed
from pipelines.progress import log
from pipelines.training.distributed import Resources
from pipelines.training.folder import AttemptFolder
from pipelines.training.job import FitJob


class SoleWorker:
    """The actor, seen from the driver: it holds a CPU and its share of a GPU until it is told to end."""

    def __init__(self, resources: Resources, folder: AttemptFolder) -> None:
        self.resources, self.folder = resources, folder
        self.actor: Any = None
        self._start()

    def train(self, job: FitJob) -> None:
        """Train to the end; a process that dies is replaced, and goes on from the last checkpoint.

        Raises EvergreenError as the loop did, and TrainingFailed where processes died too often.
        """
        import ray

        for _ in range(job.training.failures + 1):
            try:
                ray.get(self.actor.train.remote(job))
                return
            except ray.exceptions.RayError as error:
                self.kill()  # what it has done to its GPU may outlast an error
                if isinstance(found := getattr(error, "cause", None), EvergreenError):
                    raise found from None
                said = error
            except BaseException:
                self.kill()
                raise
            log.warning("The worker failed and is started again: %s", type(said).__name__)
            self._start()
        self.kill()
        raise TrainingFailed(
            f"The worker failed more than {job.training.failures} times: {str(said).strip()[-1500:]}",
            "Raise training.failures where machines come and go; else mend what it says.",
        ) from said

    def end(self) -> None:
        """Let it write what it has used, and give back what it holds; without effect on one that is gone."""
        import ray

        if self.actor is not None:
            with suppress(ray.exceptions.RayError):  # it has died, or is only starting
                ray.get(self.actor.end.remote(), timeout=2)
            self.kill()

    def kill(self) -> None:
        import ray

        if self.actor is not None:
            ray.kill(self.actor)
            self.actor = None

    def _start(self) -> None:
        """Ask for the process; it begins to import at once, or when the cluster has room."""
        import ray

        from pipelines.training.worker import Trainer

        remote: Any = ray.remote(num_cpus=1, num_gpus=self.resources.gpus)(Trainer)
        self.actor = remote.remote(self.folder, self.resources.cpus, self.resources.gpus)


_ahead: list[SoleWorker] = []  # at most one, which waits for the next fit of this driver


@contextmanager
def worker_ahead(config: PipelineConfig, resources: Resources, folder: AttemptFolder) -> Iterator[None]:
    """Have the attempt's worker start while rows are read, where it will need one, and serve all its fits.

    Not where trials run before: what it holds, they could not have.
    """
    elsewhere = config.model.kind in ("linear", "gradient_boosting") or config.training.stream is True
    if resources.workers == 1 and not elsewhere and config.tuning is None:
        _ahead.append(SoleWorker(resources, folder))
    try:
        yield
    except BaseException:
        while _ahead:
            _ahead.pop().kill()
        raise
    let_go()


def let_go() -> None:
    """End the worker that waits: who waits for others must hold nothing that they may need."""
    while _ahead:
        _ahead.pop().end()


def train_on_one(job: FitJob, resources: Resources) -> None:
    """Train by the worker that waits, else by one that waits then. Raises what `SoleWorker.train` does."""
    if not _ahead:
        _ahead.append(SoleWorker(resources, AttemptFolder(job.root)))
    _ahead[0].train(job)
