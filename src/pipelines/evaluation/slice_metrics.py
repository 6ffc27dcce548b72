"""The pipeline's metric on parts of the test rows, and against the champion on each."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from pipelines.config import PipelineConfig, columns_of
from pipelines.evaluation.champion import Opponent
from pipelines.evaluation.classification import read_answers
from pipelines.evaluation.comparing import Compared, compare
from pipelines.evaluation.metrics import find_statistic, read_rows
from pipelines.evaluation.regression import read_values
from pipelines.evaluation.resampling import Resamples
from pipelines.evaluation.sampling import Sample
from pipelines.evaluation.slices import Slice, named_slices, worst_slices
from pipelines.partition import Partition
from pipelines.records import SliceMetric, Task
from pipelines.splitting import FEWEST

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

SEARCHED = 20_000  # rows that are looked at when slices are looked for
DRAWS = 2_000  # resamples of each slice: enough for a level shared among forty


def measure_named(
    config: PipelineConfig, rows: Partition, answers: pd.DataFrame, opponent: Opponent | None
) -> list[SliceMetric]:
    """The slices that the definition names, on all test rows, which `answers` belong to."""
    if not config.evaluation.slices:
        return []
    target = rows.column(config.data.target, "test")
    return [
        measure_slice(config, part, target, answers, opponent)
        for name in config.evaluation.slices
        for part in named_slices(rows.table("test", columns=columns_of(name, config.columns)), [name])
    ]


def measure_found(
    config: PipelineConfig, inputs: list[str], sample: Sample, opponent: Opponent | None
) -> list[SliceMetric]:
    """The slices on which the model is worst, on the rows among which they were looked for."""
    few, most = sample.head(SEARCHED), config.evaluation.find_slices
    theirs = opponent.on(few.places) if opponent else None
    return [
        measure_slice(config, part, few.target, few.answers, theirs).model_copy(
            update={"among": len(few.places)}
        )
        for part in worst_slices(few.rows[inputs], row_losses(config.task, few), most)
    ]


def row_losses(task: Task, sample: Sample) -> NDArray[np.float64]:
    """Squared error, or log loss, of each row (n,)."""
    import numpy as np

    if task == "regression":
        values = read_values(sample.target, sample.answers)
        return (values.truth - values.predicted) ** 2
    given = read_answers(task, sample.target, sample.answers).given
    return np.asarray(-np.log(np.clip(given, 1e-7, 1.0)))


def measure_slice(
    config: PipelineConfig, part: Slice, target: pd.Series, answers: pd.DataFrame, opponent: Opponent | None
) -> SliceMetric:
    """Of a slice of fewer than FEWEST rows, or of one class where the metric needs two, the size alone."""
    slice_ = SliceMetric(name=part.name, found=part.found, rows=int(part.mask.sum()))
    alone = compare_on(config, target, part.mask, {"ours": answers})
    if alone is None:
        return slice_
    slice_ = slice_.model_copy(update={"interval": alone.interval("ours")})
    if opponent is None:
        return slice_
    kept = part.mask & opponent.fresh
    both = compare_on(config, target, kept, {"ours": answers, "theirs": opponent.answers})
    if both is None:
        return slice_
    same = answers[kept].equals(opponent.answers[kept])
    difference = both.difference("ours", "theirs", same=same)
    return slice_.model_copy(update={"champion": both.values["theirs"], "difference": difference})


def compare_on(
    config: PipelineConfig, target: pd.Series, mask: NDArray[np.bool_], answers: dict[str, pd.DataFrame]
) -> Compared | None:
    """The pipeline's metric of some models on the rows of a mask; None where it has no value for one."""
    if mask.sum() < FEWEST:
        return None
    read = {name: read_rows(config.task, target[mask], frame[mask]) for name, frame in answers.items()}
    found = {name: find_statistic(config.metric, rows) for name, rows in read.items()}
    known = {name: s for name, s in found.items() if s is not None and math.isfinite(s.value)}
    if len(known) < len(answers):
        return None
    return compare(config.metric, known, Resamples(int(mask.sum()), draws=DRAWS))
