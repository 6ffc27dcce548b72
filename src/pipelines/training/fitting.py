"""The course of an attempt: prepare the arrays, fit what the definition asks for, leave one bundle."""

from __future__ import annotations

from pipelines.config import PipelineConfig
from pipelines.models.bundle import Description
from pipelines.records import Attempt
from pipelines.training.arrays import prepare_arrays
from pipelines.training.distributed import choose_workers
from pipelines.training.families import fit
from pipelines.training.folder import AttemptFolder
from pipelines.training.job import FitJob, Fitted


def fit_attempt(config: PipelineConfig, attempt: Attempt, folder: AttemptFolder) -> Fitted:
    """From snapshot to `folder.bundle`. Raises EvergreenError, DataError."""
    choose_workers(config.training)  # what cannot be had is said before anything is done
    description = prepare_arrays(config, attempt, folder)
    return fit(fit_job(config, attempt, folder, description))


def fit_job(
    config: PipelineConfig, attempt: Attempt, folder: AttemptFolder, description: Description
) -> FitJob:
    """The attempt's own model, fitted into its own bundle."""
    return FitJob(
        name=attempt.id,
        root=folder.root,
        arrays=folder.arrays,
        place=folder.root,
        description=description,
        training=config.training,
    )
