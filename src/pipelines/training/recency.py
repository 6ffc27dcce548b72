"""How the passing of time counts in a training: whether it is a feature, how fast old rows lose weight."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from pipelines.config import PipelineConfig
from pipelines.partition import Partition
from pipelines.progress import log
from pipelines.training.arrays import REFIT, TRAIN, prepare_arrays
from pipelines.training.choosing import is_as_good
from pipelines.training.families import fit
from pipelines.training.folder import AttemptFolder
from pipelines.training.job import FitJob

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MOST_ROWS = 100_000  # say as well as more whether the passing of time tells something
SHARE = 4  # of the time that the rows span: the half-life that is tried


def settle_recency(config: PipelineConfig, rows: Partition, folder: AttemptFolder) -> PipelineConfig:
    """The definition with `trend` and `half_life` settled: `auto` is what helps where the split is by time.

    What helps lets boosting predict the validation part better: a trend by more than the standard error, a
    half-life, which in effect leaves rows out, by more than twice that. What means nothing is one thing more
    to go wrong tomorrow. Elsewhere, and with features of one's own, `auto` is none.
    """
    trend, half_life = config.training.trend, config.training.half_life
    probed = config.split.by == "time" and config.features is None
    some = rows.sampled(MOST_ROWS) if probed and "auto" in (trend, half_life) else rows
    plain = settled(config, trend is True, half_life if isinstance(half_life, timedelta) else None)
    if probed and trend == "auto":
        plain = better(plain, settled(plain, True, plain.training.half_life), some, folder, errors=1.0)
    if probed and half_life == "auto":
        weighted = settled(plain, plain.training.trend, quarter(config, some))
        plain = better(plain, weighted, some, folder, errors=2.0)
    if probed:
        log.info("Trend: %s; half-life: %s", plain.training.trend, plain.training.half_life or "none")
    return plain


def recency_details(config: PipelineConfig) -> dict[str, float]:
    """What was settled: 1 where the passing of days is a feature, and the half-life in days, 0 for none."""
    half_life = config.training.half_life
    days = half_life / timedelta(days=1) if isinstance(half_life, timedelta) else 0.0
    return {"trend": float(config.training.trend is True), "half_life_days": days}


def settled(config: PipelineConfig, trend: object, half_life: object) -> PipelineConfig:
    training = config.training.model_copy(update={"trend": trend, "half_life": half_life})
    return config.model_copy(update={"training": training})


def quarter(config: PipelineConfig, rows: Partition) -> timedelta | None:
    """A quarter of the time that the rows before the test part span, None where it is none."""
    times = rows.column(str(config.data.timestamp), *REFIT.learn)
    span: timedelta = (times.max() - times.min()).to_pytimedelta()
    return span / SHARE or None


def better(
    plain: PipelineConfig, other: PipelineConfig, rows: Partition, folder: AttemptFolder, errors: float
) -> PipelineConfig:
    """`plain`, unless `other` predicts the validation part better by more than so many standard errors."""
    as_good = is_as_good(probe(plain, rows, folder), probe(other, rows, folder), errors=errors)
    return plain if as_good else other


def probe(config: PipelineConfig, rows: Partition, folder: AttemptFolder) -> NDArray[np.float64]:
    """The losses of boosting on the validation part; found where it was asked for before."""
    import numpy as np

    trend, half_life = config.training.trend, config.training.half_life
    place = folder.root / "recency" / f"{trend}-{half_life}".replace(" ", "-").replace(":", "-")
    description = prepare_arrays(config, rows, TRAIN, place / "arrays")
    plain = description.model.model_copy(update={"quantiles": []})
    job = FitJob(
        name=f"{folder.root.name}-{place.name}",
        root=folder.root,
        arrays=place / "arrays",
        place=place,
        description=description.model_copy(update={"kind": "gradient_boosting", "model": plain}),
        metric=config.metric,
        training=config.training.model_copy(update={"loss": "auto"}),
    )
    found: NDArray[np.float64] = np.load(str(fit(job).validation_losses))
    return found
