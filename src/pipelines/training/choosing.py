"""`model: auto`: a few kinds are tried, and the simplest that is as good as the best is taken."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from pipelines.config import KINDS
from pipelines.config.learning import is_network, supports
from pipelines.environment import variable
from pipelines.progress import log
from pipelines.training.distributed import connect_ray
from pipelines.training.families import fit
from pipelines.training.folder import AttemptFolder
from pipelines.training.job import FitJob, Fitted
from pipelines.training.team import let_go

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MARGIN = 0.01  # of the best loss, which a simpler model may be worse by
CANDIDATES = ("linear", "gradient_boosting", "tabm")
START_SECONDS = 5.0  # which another worker for the refit takes to start
MOST_CLASSES = 20  # of more, boosting would have too few of MOST_TREES for each
MOST_ROWS = 5_000_000  # that scikit-learn gets: it copies them as float64, in memory


def fit_candidates(job: FitJob) -> list[Fitted]:
    """Every candidate that can do what is asked, fitted: on a cluster the estimators beside the network."""
    jobs = [candidate(job, kind) for kind in candidates(job)]
    if variable("RAY_ADDRESS") is None:
        return [fit(one) for one in jobs]
    import ray

    connect_ray()
    # One CPU each: the network's worker has another, and what must wait for it does.
    task = ray.remote(num_cpus=1, max_retries=job.training.failures)(fit_metered)
    beside = [task.remote(one) for one in jobs if not one.description.network]
    networks = [fit(one) for one in jobs if one.description.network]
    if ray.wait(beside, num_returns=len(beside), timeout=START_SECONDS)[1]:
        let_go()  # the team: on a cluster that is full, what it holds may be what the others wait for
    return [*ray.get(beside), *networks]


def candidates(job: FitJob) -> list[str]:
    """The kinds that can learn what is asked from so many rows, in a time that is worth it."""
    import numpy as np

    many = len(np.load(job.arrays / "y.npy", mmap_mode="r")) > MOST_ROWS
    left_out = {"gradient_boosting"} if len(job.description.classes) > MOST_CLASSES else set()
    kinds = [kind for kind in CANDIDATES if is_network(kind) or not (many or kind in left_out)]
    return [kind for kind in kinds if supports(kind, job.description.model, job.training)]


def fit_metered(job: FitJob) -> Fitted:
    """`fit` in a process of its own, whose use counts and whose work is a sign that the attempt lives."""
    from pipelines.training.usage import Meter

    folder = AttemptFolder(job.root)
    with Meter(folder, job.description.kind), folder.beating():
        return fit(job)


def candidate(job: FitJob, kind: str) -> FitJob:
    """The same job for one kind, in a place of its own."""
    description = job.description.model_copy(update={"kind": kind})
    place = AttemptFolder(job.root).candidates / kind
    return job.model_copy(update={"name": f"{job.name}-{kind}", "place": place, "description": description})


def choose(fitted: list[Fitted]) -> Fitted:
    """The simplest candidate that is as good as the best: by MARGIN of its loss, and within chance.

    The rule of one standard error (Breiman and others, 1984, "Classification and Regression Trees", 3.4.3)
    alone would let clearly worse models in where the rows are few.
    """
    import numpy as np

    losses = {one.kind: np.load(str(one.validation_losses)) for one in fitted}
    best = min(losses, key=lambda kind: float(losses[kind].mean()))
    as_good = [
        k for k in sorted(losses, key=KINDS.index) if k == best or is_as_good(losses[k], losses[best], MARGIN)
    ]
    log.info(
        "Validation loss: %s; %s is taken",
        ", ".join(f"{kind} {losses[kind].mean():.4g}" for kind in losses),
        as_good[0],
    )
    return next(one for one in fitted if one.kind == as_good[0])


def is_as_good(
    losses: NDArray[np.float64], best: NDArray[np.float64], margin: float = math.inf, errors: float = 1.0
) -> bool:
    """Whether the mean difference of two models' losses on the same rows is within so many standard errors,
    and within `margin` of the better one's mean."""
    difference = losses - best
    error = errors * float(difference.std()) / math.sqrt(len(difference))
    return float(difference.mean()) <= min(error, margin * abs(float(best.mean())))
