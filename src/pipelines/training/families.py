"""One way to fit a model of any kind."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

from pipelines.files import write_whole
from pipelines.models.bundle import FEATURES, Bundle, begin_bundle, open_estimator
from pipelines.training.arrays import VALIDATION, load_arrays
from pipelines.training.checkpoints import remove_checkpoints
from pipelines.training.estimators import fit_estimator
from pipelines.training.job import FitJob, Fitted, OnEpoch
from pipelines.training.losses import LEAST, row_losses

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def fit(job: FitJob, on_epoch: OnEpoch | None = None) -> Fitted:
    """Fit the job's model into its bundle, or find it fitted. Raises what the family raises."""
    done = job.place / "fitted.json"
    if not done.exists():
        write_whole(done, fit_anew(job, on_epoch).model_dump_json())
    remove_checkpoints(job)  # also those of a driver that died before it could
    return Fitted.model_validate_json(done.read_bytes())


def fit_anew(job: FitJob, on_epoch: OnEpoch | None) -> Fitted:
    """Fit, or go on from the last checkpoint."""
    started = time.monotonic()
    begin_bundle(job.bundle, job.description, job.arrays / FEATURES)
    network, rounds = job.description.network, list[int]()
    if network:
        details = fit_network(job, on_epoch)
    else:
        rounds = fit_estimator(job)
        details = {"best_epoch": float(rounds[0])} if rounds else {}
    losses = measure(job) if job.validated else None
    return Fitted(
        kind=job.description.kind,
        bundle=job.bundle,
        validation_loss=None if losses is None else float(losses.mean()),
        validation_losses=None if losses is None else job.place / "losses.npy",
        epochs=int(details["best_epoch"]) if network else None,
        rounds=rounds,
        seconds=round(time.monotonic() - started, 3),
        details=details,
    )


def fit_network(job: FitJob, on_epoch: OnEpoch | None) -> dict[str, float]:
    """Train on as many workers as the definition asks for, or in this process."""
    from pipelines.training.distributed import Resources, plan_resources, train_on_workers
    from pipelines.training.loop import train_here
    from pipelines.training.team import suits, train_in_team

    resources = Resources(0) if on_epoch else plan_resources(job.training)
    if resources.workers == 0:
        train_here(job, on_epoch)
    elif suits(resources, job.training):
        train_in_team(job, resources)
    else:
        train_on_workers(job, resources)
    best = json.loads((job.place / "best.json").read_text())
    threads = {"threads": float(resources.cpus)} if resources.most else {}  # else the driver's own
    numbers = {name: float(value) for name, value in best.items()}
    return numbers | {"workers": float(resources.most)} | threads


def measure(job: FitJob) -> NDArray[np.float64]:
    """The loss of each validation row, `training.loss` and that of quantiles, kept in the job's place."""
    import numpy as np
    import torch

    data = load_arrays(job.arrays, VALIDATION)
    answers = Bundle(job.description, None, open_estimator(job.bundle, job.description)).answer(
        data["x_validation"]
    )
    outputs = torch.from_numpy(as_outputs(answers, bool(job.description.classes)))
    target = torch.from_numpy(data["y_validation"])
    found = row_losses(outputs, target, job.description, job.training, job.bundle)
    losses: NDArray[np.float64] = found.double().numpy()
    np.save(job.place / "losses.npy", losses)
    return losses


def as_outputs(answers: Any, classes: bool) -> Any:
    """Answers as a network's outputs: the logarithms of probabilities are logits of the same."""
    import numpy as np

    return np.log(np.clip(answers, LEAST, 1.0)) if classes else answers
