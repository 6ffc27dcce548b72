"""What is drawn of a model's answers, as few numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.evaluation.classification import Answers, quantile_bins, read_answers
from pipelines.evaluation.regression import read_values
from pipelines.evaluation.sampling import Sample
from pipelines.records import Confusion, Curve, Plots, Task

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

POINTS = 100  # of a curve
RESIDUALS = 500
RESIDUAL_BINS = 40
MOST_CURVES = 10  # of many classes, the most frequent
MOST_CLASSES = 20


def draw_plots(task: Task, sample: Sample) -> Plots:
    """Curves of a model of classes, residuals of one of values."""
    if task == "regression":
        return draw_residuals(sample)
    answers = read_answers(task, sample.target, sample.answers)
    shown = [answers.positive] if answers.two else frequent(answers, MOST_CURVES)
    curves = {answers.classes[k]: rank_curves(answers.truth == k, answers.probabilities[:, k]) for k in shown}
    return Plots(
        roc={name: found[0] for name, found in curves.items() if found},
        pr={name: found[1] for name, found in curves.items() if found},
        calibration=calibration(answers),
        confusion=confusion(answers),
    )


def frequent(answers: Answers, most: int) -> list[int]:
    """The classes that the model knows and most rows have, in the model's order."""
    import numpy as np

    counts = np.bincount(answers.truth, minlength=len(answers.classes))[: answers.known]
    return sorted(int(k) for k in np.argsort(-counts, kind="stable")[:most])


def rank_curves(is_it: NDArray[np.bool_], score: NDArray[np.float64]) -> tuple[Curve, Curve] | None:
    """ROC, and precision against recall; None where there are rows of one kind only."""
    import numpy as np

    positives, rows = int(is_it.sum()), len(is_it)
    if positives in (0, rows):
        return None
    order = np.argsort(-score, kind="stable")
    ends = np.append(np.flatnonzero(np.diff(score[order])), rows - 1)  # equal scores are one step
    ends = ends[thinned(len(ends))]
    hits = np.cumsum(is_it[order])[ends]
    called = ends + 1
    recall, precision = hits / positives, hits / called
    false = (called - hits) / (rows - positives)
    roc = Curve(x=[0.0, *rounded(false)], y=[0.0, *rounded(recall)])
    return roc, Curve(x=rounded(recall), y=rounded(precision))


def thinned(count: int) -> NDArray[np.int64]:
    """At most POINTS - 1 of so many places, the first and the last among them."""
    import numpy as np

    return np.unique(np.linspace(0, count - 1, min(count, POINTS - 1)).round().astype(np.int64))


def rounded(values: NDArray[np.float64]) -> list[float]:
    """Six digits: what is drawn needs no more, and JSON stays short."""
    return [float(f"{value:.6g}") for value in values]


def calibration(answers: Answers) -> Curve:
    """Mean probability against the share that came true, in the bins of the calibration error."""
    import numpy as np

    score, hit = answers.foretold
    place = quantile_bins(score)
    count = np.bincount(place)
    some = count > 0
    sums = (np.bincount(place, values)[some] for values in (score, hit))
    x, y = (rounded(each / count[some]) for each in sums)
    return Curve(x=x, y=y, rows=count[some].tolist())


def confusion(answers: Answers) -> Confusion:
    import numpy as np

    size = len(answers.classes)
    counts = np.bincount(answers.truth * size + answers.said, minlength=size * size).reshape(size, size)
    shown = sorted(int(k) for k in np.argsort(-counts.sum(axis=1), kind="stable")[:MOST_CLASSES])
    return Confusion(
        classes=[answers.classes[k] for k in shown],
        counts=counts[np.ix_(shown, shown)].tolist(),
        rows=counts.sum(axis=1)[shown].tolist(),
        total=size,
    )


def draw_residuals(sample: Sample) -> Plots:
    import numpy as np

    values = read_values(sample.target, sample.answers)
    off = values.truth - values.predicted
    counts, edges = np.histogram(off, RESIDUAL_BINS)
    few = read_values(*((part := sample.head(RESIDUALS)).target, part.answers))
    return Plots(
        residuals=Curve(x=rounded(few.predicted), y=rounded(few.truth - few.predicted)),
        residual_bins=Curve(x=rounded(edges), y=[float(count) for count in counts]),
    )
