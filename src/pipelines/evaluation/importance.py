"""What a model's answers rest on: permutation importance and Shapley values, over all rows or for one."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from pipelines.config import PipelineConfig
from pipelines.environment import module_hidden, set_environment
from pipelines.evaluation.metrics import higher_is_better, score_metric
from pipelines.evaluation.sampling import Sample
from pipelines.leakage import skill_alone
from pipelines.records import Importance

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    from pipelines.models.bundle import Bundle

ROWS = 1_000  # whose columns are permuted
REPEATS = 3
MOST_PERMUTED = 60  # columns; of more, those that tell the most by themselves
BACKGROUND = 10  # rows that stand for "not known" in a Shapley value
ANSWERS = 16_000  # of the model that Shapley values of all columns may cost
LEAST_EXPLAINED, MOST_EXPLAINED = 5, 40

Score = Callable[["pd.Series", "pd.DataFrame"], float]  # higher is better


def measure_importances(config: PipelineConfig, bundle: Bundle, sample: Sample) -> list[Importance]:
    """What each input column does, the most important first, then those that were not dealt out.

    Of very many these are the ones that tell the least alone.
    """
    sign = 1 if higher_is_better(config.metric) else -1

    def score(target: pd.Series, answers: pd.DataFrame) -> float:
        return sign * score_metric(config.task, config.metric, target, answers)

    alone = skill_alone(sample.rows, sample.target, config.task, bundle.features)
    ranked = sorted(bundle.inputs, key=lambda name: -alone.get(name, 1.0))
    falls = permutation_importance(bundle, sample.rows, sample.target, score, ranked[:MOST_PERMUTED])
    shapley_values = mean_shapley(bundle, sample.rows)
    found = [
        Importance(
            column=name,
            clock=name == bundle.timestamp,
            permutation=mean if math.isfinite(mean) else None,
            deviation=deviation if math.isfinite(mean) else 0.0,
            shapley=shapley_values.get(name),
            alone=alone.get(name),
        )
        for name in ranked
        for mean, deviation in [falls.get(name, (math.nan, 0.0))]
    ]
    return sorted(found, key=lambda one: math.inf if one.permutation is None else -one.permutation)


def permutation_importance(
    bundle: Bundle, rows: pd.DataFrame, target: pd.Series, score: Score, columns: list[str]
) -> dict[str, tuple[float, float]]:
    """By how much a score falls when a column's values are dealt out anew: mean and standard deviation.

    On at most ROWS rows, REPEATS times (Breiman 2001). Columns that say the same hide each other.
    """
    import numpy as np

    random = np.random.default_rng(0)
    chosen = np.sort(random.permutation(len(rows))[:ROWS])
    rows, target = rows.iloc[chosen], target.iloc[chosen]
    best, found = score(target, bundle.predict(rows)), {}
    for name in columns:
        falls = []
        for _ in range(REPEATS):
            dealt = rows.copy(deep=False)
            dealt[name] = rows[name].to_numpy()[random.permutation(len(rows))]
            falls.append(best - score(target, bundle.predict(dealt)))
        found[name] = (float(np.mean(falls)), float(np.std(falls)))
    return found


def mean_shapley(bundle: Bundle, rows: pd.DataFrame) -> dict[str, float]:
    """The mean absolute Shapley value of each column, on as many rows as ANSWERS of the model allow.

    Nothing where no row is left beside the background.
    """
    import numpy as np

    random = np.random.default_rng(0)
    order = random.permutation(len(rows))
    background = rows.iloc[order[:BACKGROUND]]
    affordable = ANSWERS // (answers_a_row(bundle) * len(background))
    count = min(MOST_EXPLAINED, max(LEAST_EXPLAINED, affordable))
    explained = rows.iloc[order[BACKGROUND : BACKGROUND + count]]
    if explained.empty:
        return {}
    values, _ = shapley(bundle, explained, background)
    means = np.abs(values).mean(axis=(0, 2))
    return {name: float(mean) for name, mean in zip(bundle.inputs, means, strict=True)}


def shapley(
    bundle: Bundle, rows: pd.DataFrame, background: pd.DataFrame, permutations: int = 1
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Shapley values (rows, columns, outputs) and what the background alone gives (outputs,).

    Together they sum to the answer: the value, the probability of the second of two classes, or of each class
    (Lundberg and Lee 2017, by antithetic permutations). Columns are those of `bundle.inputs`.
    """
    import numpy as np
    import pandas as pd

    if not len(rows):
        return np.zeros((0, len(bundle.inputs), 1)), np.zeros(1)
    # shap mixes columns of numbers. What it mixes here are the numbers of the rows that hold the values, so
    # that a column may be of any type.
    values = pd.concat([background, rows])[bundle.inputs]

    def answer(numbers: NDArray[np.float64]) -> NDArray[np.float64]:
        places = numbers.astype(np.int64)
        columns = {name: values[name].array[places[:, i]] for i, name in enumerate(bundle.inputs)}
        return outputs(bundle.predict(pd.DataFrame(columns)))

    numbers = np.repeat(np.arange(len(values), dtype=np.float64)[:, None], len(bundle.inputs), axis=1)
    shap, count = import_shap(), len(background)
    masker = shap.maskers.Independent(numbers[:count], max_samples=count)
    explainer = shap.explainers.Permutation(answer, masker, seed=0)
    most = permutations * answers_a_row(bundle)
    # One by one: of several rows shap computes main effects, too, which nobody asked for and take as long.
    found = [explainer(row[None], max_evals=most, silent=True) for row in numbers[count:]]
    shape = (len(rows), len(bundle.inputs), -1)
    each = np.stack([one.values for one in found]).reshape(shape)
    return each, np.asarray(found[0].base_values[0]).reshape(-1)


def import_shap() -> Any:
    """`shap` without its plots, and without compiling its loops, which takes seconds in each process.

    They are a thousandth of what the model's answers take.
    """
    set_environment({"NUMBA_DISABLE_JIT": "1"})
    with module_hidden("matplotlib"):
        import shap
    return shap


def answers_a_row(bundle: Bundle) -> int:
    """How many mixtures of a row and the background are asked for: one permutation, there and back."""
    return 2 * len(bundle.inputs) + 1


def outputs(predictions: pd.DataFrame) -> NDArray[np.float64]:
    """What is explained of predictions: (rows, outputs)."""
    names = [name for name in predictions.columns if str(name).startswith("p_")]
    chosen = names[-1:] if len(names) == 2 else names or ["prediction"]
    return predictions[chosen].to_numpy("float64")
