"""One way to fit a model of any kind."""

from __future__ import annotations

import json
import time

from pipelines.training.distributed import choose_workers, train_on_workers
from pipelines.training.estimators import fit_estimator
from pipelines.training.job import FitJob, Fitted, OnEpoch
from pipelines.training.loop import train_here


def fit(job: FitJob, on_epoch: OnEpoch | None = None) -> Fitted:
    """Fit the job's kind of model into its bundle. Raises what the family raises."""
    started = time.monotonic()
    if not job.description.network:
        details = fit_estimator(job)
    else:
        workers = 0 if on_epoch else choose_workers(job.training)
        if workers == 0:
            train_here(job, on_epoch)
        else:
            train_on_workers(job, workers)
        best = json.loads((job.place / "best.json").read_text())
        details = {name: float(value) for name, value in best.items()} | {"workers": float(workers)}
    return Fitted(
        kind=job.description.kind,
        bundle=job.bundle,
        validation_loss=details.get("validation_loss"),
        validation_losses=None,
        epochs=int(details.get("best_epoch", details.get("iterations", 0))),
        seconds=round(time.monotonic() - started, 3),
        details=details,
    )
