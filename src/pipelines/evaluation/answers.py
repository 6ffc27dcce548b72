"""Models' answers to the test rows, and every metric of them."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, Protocol

from pipelines.config import PipelineConfig
from pipelines.evaluation.comparing import Measured, compare_all, finite, measure_models
from pipelines.evaluation.own import compare_own
from pipelines.evaluation.resampling import Resamples
from pipelines.partition import Partition

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

CHALLENGER = "challenger"


class Predictor(Protocol):
    """What answers rows: a bundle, or a baseline."""

    def predict(self, frame: pd.DataFrame) -> pd.DataFrame: ...


def predict_test(model: Predictor, rows: Partition) -> pd.DataFrame:
    """The model's predictions for the test part, made piece by piece: its rows may not fit into memory."""
    import pandas as pd

    return pd.concat(model.predict(piece) for piece in rows.pieces("test"))


def measure_answers(
    config: PipelineConfig,
    rows: Partition,
    answers: dict[str, pd.DataFrame],
    kept: NDArray[np.bool_] | None = None,
) -> Measured:
    """Every metric of the task and the user's own, of the models' answers to the test rows, or to those kept.

    A model whose answers are not all finite numbers has none.
    """
    import numpy as np

    kept = np.ones(rows.count("test"), dtype=np.bool_) if kept is None else kept
    answers = {name: frame[kept] for name, frame in answers.items()}
    target = rows.column(config.data.target, "test")[kept]
    resamples = Resamples(len(target))
    good = {name: frame for name, frame in answers.items() if finite(frame)}
    found = chain(
        compare_all(config.task, target, good, resamples), compare_own(config, rows, kept, good, resamples)
    )
    return measure_models(answers, found)
