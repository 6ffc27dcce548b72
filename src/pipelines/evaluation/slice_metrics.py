"""The pipeline's metric on parts of the test rows, and against the champion on each."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from pipelines.config import PipelineConfig
from pipelines.evaluation.champion import Opponent
from pipelines.evaluation.classification import read_answers
from pipelines.evaluation.comparing import Compared, compare, finite
from pipelines.evaluation.metrics import find_statistic, read_rows
from pipelines.evaluation.regression import read_values
from pipelines.evaluation.resampling import Resamples
from pipelines.evaluation.sampling import Sample
from pipelines.evaluation.slices import Slice, named_slices, worst_slices
from pipelines.records import SliceMetric, Task
from pipelines.splitting import FEWEST

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

SEARCHED = 20_000  # rows that are looked at when slices are looked for
DRAWS = 2_000  # resamples of each slice: enough for a level shared among forty


def measure_slices(
    config: PipelineConfig, inputs: list[str], sample: Sample, opponent: Opponent | None
) -> list[SliceMetric]:
    """The slices that the definition names, then those found: the metric, and against the champion."""
    few, asked = sample.head(SEARCHED), config.evaluation
    found = worst_slices(few.rows[inputs], row_losses(config.task, few), asked.find_slices)
    theirs = opponent_of(sample, opponent)
    named = [measure_slice(config, part, sample, theirs) for part in named_slices(sample.rows, asked.slices)]
    return named + [measure_slice(config, part, few, opponent_of(few, opponent)) for part in found]


def row_losses(task: Task, sample: Sample) -> NDArray[np.float64]:
    """Squared error, or log loss, of each row (n,)."""
    import numpy as np

    if task == "regression":
        values = read_values(sample.target, sample.answers)
        return (values.truth - values.predicted) ** 2
    given = read_answers(task, sample.target, sample.answers).given
    return np.asarray(-np.log(np.clip(given, 1e-7, 1.0)))


def opponent_of(sample: Sample, opponent: Opponent | None) -> Opponent | None:
    """The champion's answers to the rows of a sample; None where they are not all finite numbers."""
    if opponent is None:
        return None
    answers = opponent.answers.iloc[sample.places].reset_index(drop=True)
    if not finite(answers):
        return None
    return Opponent(opponent.version, answers, opponent.fresh[sample.places])


def measure_slice(
    config: PipelineConfig, part: Slice, sample: Sample, opponent: Opponent | None
) -> SliceMetric:
    """Of a slice of fewer than FEWEST rows, or of one class where the metric needs two, the size alone."""
    slice_ = SliceMetric(name=part.name, found=part.found, rows=int(part.mask.sum()))
    alone = compare_on(config, sample, part.mask, {"ours": sample.answers})
    if alone is None:
        return slice_
    slice_ = slice_.model_copy(update={"interval": alone.interval("ours")})
    if opponent is None:
        return slice_
    kept = part.mask & opponent.fresh
    both = compare_on(config, sample, kept, {"ours": sample.answers, "theirs": opponent.answers})
    if both is None:
        return slice_
    same = sample.answers[kept].equals(opponent.answers[kept])
    difference = both.difference("ours", "theirs", same=same)
    return slice_.model_copy(update={"champion": both.values["theirs"], "difference": difference})


def compare_on(
    config: PipelineConfig, sample: Sample, mask: NDArray[np.bool_], answers: dict[str, pd.DataFrame]
) -> Compared | None:
    """The pipeline's metric of some models on the rows of a mask; None where it has no value for one."""
    if mask.sum() < FEWEST:
        return None
    read = {name: read_rows(config.task, sample.target[mask], frame[mask]) for name, frame in answers.items()}
    found = {name: find_statistic(config.metric, rows) for name, rows in read.items()}
    known = {name: s for name, s in found.items() if s is not None and math.isfinite(s.value)}
    if len(known) < len(answers):
        return None
    return compare(config.metric, known, Resamples(int(mask.sum()), draws=DRAWS))
