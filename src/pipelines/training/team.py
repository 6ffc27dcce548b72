"""A fixed number of workers: Ray actors of the attempt, asked for early, that serve every fit.

Ray Train starts a controller, three helpers and then the workers, one after another, for each fit: it can
change their number and feed them a stream. These need neither, and torch's process group makes them agree.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any
from uuid import uuid4

from pipelines.config import PipelineConfig, Training
from pipelines.config.learning import is_network
from pipelines.errors import EvergreenError
from pipelines.progress import log
from pipelines.training.distributed import Resources, died_too_often
from pipelines.training.folder import AttemptFolder
from pipelines.training.job import FitJob

LOOK = 5.0  # seconds between two signs of life while the cluster is full
LAST_WORDS = 2.0  # seconds in which the others may say why one failed, or all what they have used


class Team:
    """The actors, seen from the driver: they hold a CPU and their GPUs each until they are told to end."""

    def __init__(self, resources: Resources, folder: AttemptFolder) -> None:
        self.resources, self.folder = resources, folder
        self.actors: list[Any] = []
        self.room: Any = None
        self._start()

    def train(self, job: FitJob) -> None:
        """Train to the end; where a process dies all are replaced, and go on from the last checkpoint.

        Raises EvergreenError as the loop did, and TrainingFailed where processes died too often.
        """
        for left in reversed(range(job.training.failures + 1)):
            if (failure := self._try(job)) is None:
                return
            if left:
                log.warning("A worker failed, they are started again: %s", type(failure).__name__)
                self._start()
        raise died_too_often(job, failure) from failure

    def _try(self, job: FitJob) -> Exception | None:
        """None where all came to the end, else how the first one failed; then all are gone."""
        # One for each try: who is about to be killed must not meet those that come after.
        meeting = job.place / f"meeting-{uuid4().hex}"
        try:
            self._wait_for_room()
            tasks = [actor.train.remote(job, rank, meeting) for rank, actor in enumerate(self.actors)]
            failures = failures_of(tasks)
        except BaseException:
            self.kill()
            raise
        finally:
            meeting.unlink(missing_ok=True)
        if not failures:
            return None
        self.kill()  # what they have done to their GPUs may outlast an error, and some may wait for one
        for failure in failures:
            if isinstance(found := getattr(failure, "cause", None), EvergreenError):
                raise found from None
        return failures[0]

    def _wait_for_room(self) -> None:
        """A cluster that is full is no hang: the attempt gives signs of life until `training.timeout`."""
        if self.room.wait(LOOK):
            return
        log.info("The cluster has no room for %s workers yet", self.resources.most)
        while not self.room.wait(LOOK):
            self.folder.beat.touch()

    def end(self) -> None:
        """Let them write what they have used, and give back what they hold, if anything."""
        import ray

        with suppress(ray.exceptions.RayError):  # one has died, or is only starting
            ray.get([actor.end.remote() for actor in self.actors], timeout=LAST_WORDS)
        self.kill()

    def kill(self) -> None:
        import ray

        for actor in self.actors:
            ray.kill(actor)
        if self.room is not None:
            ray.util.remove_placement_group(self.room)
        self.actors, self.room = [], None

    def _start(self) -> None:
        """Ask for the processes, all or none; they begin to import at once, or when the cluster has room."""
        import ray
        from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy

        from pipelines.training.worker import Trainer

        share = {"CPU": 1.0} | ({"GPU": self.resources.gpus} if self.resources.gpus else {})
        self.room = ray.util.placement_group([share] * self.resources.most)
        remote: Any = ray.remote(
            num_cpus=1,
            num_gpus=self.resources.gpus,
            scheduling_strategy=PlacementGroupSchedulingStrategy(self.room),
        )(Trainer)
        self.actors = [remote.remote(self.folder, self.resources) for _ in range(self.resources.most)]


def failures_of(tasks: list[Any]) -> list[Exception]:
    """Wait until all have ended well, or one has failed: how it did, and what others say soon after."""
    import ray

    failures: list[Exception] = []
    while tasks:
        done, tasks = ray.wait(tasks, timeout=LAST_WORDS if failures else None)
        if not done:
            break
        try:
            ray.get(done)
        except ray.exceptions.RayError as error:
            failures.append(error)
    return failures


def suits(resources: Resources, training: Training) -> bool:
    """Whether a team serves: their number is fixed, rows are in memory, and GPUs, if any, need not agree.

    To several GPUs Ray Train shows each other's devices, which NCCL wants.
    """
    fixed = isinstance(resources.workers, int) and resources.workers > 0 and training.stream is not True
    return fixed and (resources.workers == 1 or not resources.gpus)


_ahead: list[Team] = []  # at most one, which waits for the next fit of this driver


@contextmanager
def team_ahead(config: PipelineConfig, resources: Resources, folder: AttemptFolder) -> Iterator[None]:
    """Have the attempt's workers start while rows are read, where it will need them, and serve all its fits.

    Not where trials run before: what they hold, those could not have.
    """
    network = config.model.kind == "auto" or is_network(config.model.kind)
    if network and config.tuning is None and suits(resources, config.training):
        _ahead.append(Team(resources, folder))
    try:
        yield
    except BaseException:
        while _ahead:
            _ahead.pop().kill()
        raise
    let_go()


def let_go() -> None:
    """End the team that waits: who waits for others must hold nothing that they may need."""
    while _ahead:
        _ahead.pop().end()


def train_in_team(job: FitJob, resources: Resources) -> None:
    """Train by the team that waits, else by one that waits then. Raises what `Team.train` does."""
    if not _ahead:
        _ahead.append(Team(resources, AttemptFolder(job.root)))
    _ahead[0].train(job)
