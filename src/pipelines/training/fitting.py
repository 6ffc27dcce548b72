"""The course of an attempt: prepare the arrays, fit what the definition asks for, leave one bundle."""

from __future__ import annotations

import shutil

from pipelines.config import PipelineConfig
from pipelines.partition import Partition, partition_snapshot
from pipelines.progress import log
from pipelines.records import Attempt
from pipelines.training.arrays import REFIT, TRAIN, prepare_arrays
from pipelines.training.choosing import candidate, choose, fit_candidates
from pipelines.training.families import fit
from pipelines.training.folder import AttemptFolder
from pipelines.training.job import FitJob, Fitted
from pipelines.training.recency import recency_details, settle_recency
from pipelines.training.tuning import tune, tuning_details
from pipelines.training.weights import check_class_weights


def fit_attempt(config: PipelineConfig, attempt: Attempt, folder: AttemptFolder) -> Fitted:
    """From snapshot to `folder.bundle`; called again after a crash it goes on. Raises EvergreenError."""
    rows = partition_snapshot(attempt.snapshot, config)
    check_class_weights(config, rows)
    config = settle_recency(config, rows, folder)
    job = plan_job(config, attempt, folder, rows)
    if config.model.kind == "auto":
        job = candidate(job, choose(fit_candidates(job)).kind)
    if config.tuning:
        job = tune(job, config.tuning)
    fitted = fit(job)  # a candidate has been: it is found
    if config.tuning:
        fitted = fitted.model_copy(update={"details": fitted.details | tuning_details(folder)})
    if config.training.refit:
        fitted = refit(config, job, fitted, rows)
    if config.data.timestamp is not None:
        fitted = fitted.model_copy(update={"details": fitted.details | recency_details(config)})
    shutil.rmtree(folder.bundle, ignore_errors=True)
    shutil.copytree(fitted.bundle, folder.bundle)
    return fitted


def plan_job(config: PipelineConfig, attempt: Attempt, folder: AttemptFolder, rows: Partition) -> FitJob:
    """The fit of the definition's own model on the training part."""
    description = prepare_arrays(config, rows, TRAIN, folder.arrays)
    return FitJob(
        name=attempt.id,
        root=folder.root,
        arrays=folder.arrays,
        place=folder.candidates / description.kind.replace(":", "-"),
        description=description,
        metric=config.metric,
        training=config.training.for_rows(rows.count("train")),
    )


def refit(config: PipelineConfig, job: FitJob, fitted: Fitted, rows: Partition) -> Fitted:
    """The same model learnt from the validation part as well, for as many epochs as were best.

    What is newest is in that part, and a model that is to answer tomorrow misses it most.
    """
    arrays, count = job.root / "refit" / "arrays", rows.count(*REFIT.learn)
    description = prepare_arrays(config, rows, REFIT, arrays)
    log.info("Fitting %s again on all %s rows before the test part", fitted.kind, f"{count:,}")
    again = fit(
        job.model_copy(
            update={
                "name": f"{job.name}-refit",
                "arrays": arrays,
                "place": job.root / "refit",
                "description": description.model_copy(
                    update={"kind": fitted.kind, "model": job.description.model}
                ),
                "epochs": fitted.epochs,
                "rounds": fitted.rounds,
                "stage": "refit",
            }
        )
    )
    kept = {"details": {**again.details, **fitted.details}, "epochs": fitted.epochs, "rounds": fitted.rounds}
    return again.model_copy(update={**kept, "validation_loss": fitted.validation_loss})
