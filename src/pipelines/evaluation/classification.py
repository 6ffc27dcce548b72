"""Classification metrics as statistics of the rows, each as scikit-learn defines it where it has it.

What is no mean of a number a row is one to first order: of the metric plus the row's influence on it. That is
how DeLong, DeLong and Clarke-Pearson (1988) get the variance of an AUC, here in O(n log n) by ranks (Sun and
Xu 2014).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from pipelines.evaluation.proportions import Ends, calibration_ends, mean_ends, ranks_ends, share_ends
from pipelines.evaluation.regression import plain
from pipelines.evaluation.resampling import Chances, Statistic
from pipelines.records import Task

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

BINS = 10  # of the calibration error: as many rows in each, as far as ties allow
FEW = 50  # rows of a class, below which resamples are too sure of how it is ranked


@dataclass(frozen=True)
class Answers:
    """True classes and what a model said of them.

    truth, said: (n,) indices into `classes`, those of the model in its order, then those that it never saw.
    probabilities: (n, known) of the model's own classes.
    two: whether the task has two classes, of which the positive one is the last of the model's; that the
    model knows two says nothing, since of a rare third it may have seen no row.
    """

    truth: NDArray[np.int64]
    said: NDArray[np.int64]
    probabilities: NDArray[np.float64]
    classes: list[str]
    two: bool

    @property
    def known(self) -> int:
        return int(self.probabilities.shape[1])

    @property
    def positive(self) -> int:
        return self.known - 1

    @cached_property
    def given(self) -> NDArray[np.float64]:
        """The probability of each row's true class, 0 for one that the model never saw."""
        import numpy as np

        seen = self.truth < self.known
        place = np.where(seen, self.truth, 0)
        return np.where(seen, self.probabilities[np.arange(len(place)), place], 0.0)

    @property
    def foretold(self) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """The probability of the positive class of two, else of the said class (Guo and others 2017), and
        whether it came true.
        """
        if self.two:
            return self.probabilities[:, -1], self.truth == self.positive
        return self.probabilities.max(axis=1), self.truth == self.said


def read_answers(task: Task, target: pd.Series, predictions: pd.DataFrame) -> Answers:
    """`predictions` has `prediction` and `p_<class>` for each class of the model, in its order."""
    import pandas as pd

    own = [name.removeprefix("p_") for name in predictions.columns if str(name).startswith("p_")]
    foreign = sorted(set(pd.unique(target)) - set(own))
    classes = own + foreign
    truth, said = (
        pd.Categorical(column, categories=classes).codes.astype("int64")
        for column in (target, predictions["prediction"])
    )
    probabilities = predictions[[f"p_{name}" for name in own]].to_numpy("float64")
    return Answers(truth, said, probabilities, classes, two=task == "binary")


def statistic(metric: str, answers: Answers) -> Statistic | None:
    """A metric of MEASURED["binary"] or ["multiclass"]; None where these rows give it no meaning."""
    makers = {
        "auc": auc,
        "pr_auc": pr_auc,
        "log_loss": log_loss,
        "brier": brier,
        "ece": ece,
        "accuracy": accuracy,
        "balanced_accuracy": balanced_accuracy,
        "f1": f1,
    }
    return makers[metric](answers)


# --------------------------------------------------------------------------------------------- of labels


def accuracy(answers: Answers) -> Statistic:
    right = answers.truth == answers.said
    return plain(right.astype("float64"), ends=share_ends(right))


def balanced_accuracy(answers: Answers) -> Statistic:
    """The mean over the classes that occur of the share that is found."""
    import numpy as np

    right = answers.truth == answers.said
    count = np.bincount(answers.truth, minlength=len(answers.classes))
    occur = count > 0
    hits = np.bincount(answers.truth, right, len(count))
    shares = hits / np.maximum(count, 1)
    weight = len(answers.truth) / np.maximum(count, 1) / occur.sum()
    adds = (right - shares[answers.truth]) * weight[answers.truth]
    return linear(float(shares[occur].mean()), adds, ends=mean_ends(hits[occur], count[occur]))


def f1(answers: Answers) -> Statistic:
    """F1 of the positive class of two, else the mean over the classes that occur."""
    import numpy as np

    if answers.two:
        return f1_of(answers.truth == answers.positive, answers.said == answers.positive)
    size, rows = len(answers.classes), len(answers.truth)
    both = answers.truth == answers.said
    total = np.bincount(answers.truth, minlength=size) + np.bincount(answers.said, minlength=size)
    hits, some = np.bincount(answers.truth, both, size), total > 0
    scores = 2 * hits / np.maximum(total, 1)
    weight = rows / np.maximum(total, 1) / some.sum()
    adds = [(both - scores[k]) * weight[k] for k in (answers.truth, answers.said)]
    ends = mean_ends(hits[some], (total - hits)[some], f1_of_share)
    return linear(float(scores[some].mean()), adds[0] + adds[1], ends=ends)


def f1_of(is_it: NDArray[np.bool_], said: NDArray[np.bool_]) -> Statistic:
    import numpy as np

    def ratio(means: NDArray[np.float64]) -> NDArray[np.float64]:
        some = means[..., 1] > 0.5 / len(is_it)  # a row or none, and not what rounding leaves of none
        return np.where(some, 2 * means[..., 0] / np.where(some, means[..., 1], 1.0), 0.0)

    either = np.column_stack([is_it & said, is_it.astype("float64") + said]).astype("float64")
    both, total = either.sum(axis=0)
    ends = mean_ends(np.array([both]), np.array([total - both]), f1_of_share)
    return Statistic(either, ratio, ends=ends)


def f1_of_share(share: NDArray[np.float64]) -> NDArray[np.float64]:
    """F1 by the share of rows right among those that are of a class or said to be; it rises with it."""
    return 2 * share / (1 + share)


# --------------------------------------------------------------------------------------- of probabilities


def log_loss(answers: Answers) -> Statistic:
    """Mean -log of the true class's probability; a class never seen counts as the least float above 0."""
    import numpy as np

    def cost(held: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(-np.log(np.clip(held, np.finfo(np.float64).eps, 1.0)))

    return plain(cost(answers.given), chances=chances(answers, cost))


def brier(answers: Answers) -> Statistic:
    """Mean squared error of the positive class's probability; of several classes the sum over all of them."""

    def cost(held: NDArray[np.float64]) -> NDArray[np.float64]:
        of_all: NDArray[np.float64] = (held**2).sum(axis=1, keepdims=True) - 2 * held + 1.0
        return of_all / 2 if answers.two else of_all

    each = chances(answers, cost)
    if answers.two:
        return plain((answers.probabilities[:, -1] - (answers.truth == answers.positive)) ** 2, chances=each)
    squares = (answers.probabilities**2).sum(axis=1)
    return plain(squares - 2 * answers.given + 1.0, chances=each)


def chances(answers: Answers, cost: Callable[[NDArray[np.float64]], NDArray[np.float64]]) -> Chances:
    return Chances(answers.classes[: answers.known], answers.probabilities, cost)


def ece(answers: Answers) -> Statistic:
    """Expected calibration error: |share that came true - mean probability|, the mean over bins of rows.

    In quantile bins as in `sklearn.calibration.calibration_curve`. Each bin's sign is held while resampling:
    otherwise every resample of a calibrated model would look less calibrated than it is. A bin's variance is
    that of its rows, or, where it is more, what the probabilities say it is.
    """
    import numpy as np

    score, hit = answers.foretold
    place = quantile_bins(score)
    off = score - hit
    sums, count = np.bincount(place, off, BINS), np.bincount(place, minlength=BINS)
    around = np.bincount(place, off**2, BINS) - sums**2 / np.maximum(count, 1)
    variance = np.maximum(around, np.bincount(place, score * (1 - score), BINS))
    ends = calibration_ends(float(np.abs(sums).sum()) / len(off), variance, len(off))
    return plain(np.sign(sums)[place] * off, ends=ends)


def quantile_bins(score: NDArray[np.float64]) -> NDArray[np.int64]:
    """The bin of each row, of BINS from the lowest scores up: equal scores are in the same."""
    import numpy as np

    edges = np.quantile(score, np.linspace(0, 1, BINS + 1))
    return np.asarray(np.searchsorted(edges[1:-1], score), dtype=np.int64)


# ----------------------------------------------------------------------------------------------- of ranks


def auc(answers: Answers) -> Statistic | None:
    """How often a positive row stands above another, a tie counts half; None where there is but one class.

    Of several classes the mean, over those that occur, of each one against the rest; one that the model never
    saw has the same score on all rows.
    """
    import numpy as np

    unseen = np.zeros(len(answers.truth))
    positions = [answers.positive] if answers.two else range(len(answers.classes))
    scores = {k: answers.probabilities[:, k] if k < answers.known else unseen for k in positions}
    each = {k: auc_of(answers.truth == k, score) for k, score in scores.items()}
    found = {k: one for k, one in each.items() if one is not None}
    if not found:
        return None
    rows = [int((answers.truth == k).sum()) for k in found]
    few = min(min(many, len(unseen) - many) for many in rows) < FEW
    # The classes' ranks hang together, so their intervals are not put together as independent ones.
    ends = mean_of([one.ends for one in found.values() if one.ends]) if few else None
    return plain(np.mean([one.parts[:, 0] for one in found.values()], axis=0), ends)


def mean_of(ends: list[Ends]) -> Ends:
    lows, highs = zip(*ends, strict=True)
    return sum(lows) / len(lows), sum(highs) / len(highs)


def auc_of(positive: NDArray[np.bool_], score: NDArray[np.float64]) -> Statistic | None:
    """By DeLong: what a positive row adds is the share of others below it, of another the positives above."""
    import numpy as np

    group, positives, negatives = tied(positive, score)
    most, least = positives.sum(), negatives.sum()
    if not most or not least:
        return None
    below = (np.cumsum(negatives) - negatives / 2) / least
    above = 1 - (np.cumsum(positives) - positives / 2) / most
    value = float(below @ positives / most)
    share = most / len(score)
    adds = np.where(positive, (below[group] - value) / share, (above[group] - value) / (1 - share))
    return linear(value, adds, ranks_ends(value, int(most), int(least)))


def pr_auc(answers: Answers) -> Statistic | None:
    return average_precision(answers.truth == answers.positive, answers.probabilities[:, -1])


def average_precision(positive: NDArray[np.bool_], score: NDArray[np.float64]) -> Statistic | None:
    """The mean precision at the ranks of the positive rows; None without any.

    With A(s) and S(s) the shares of positive and of all rows at or above s, the metric is
    E[y A/S] / E[y], and a row (y0, s0) adds (y0 (A(s0)/S(s0) + C1 - metric) - C2) / E[y] with
    C1 = E[y 1(s <= s0) / S(s)] and C2 = E[y 1(s <= s0) A(s) / S(s)^2], the derivative along that row.
    """
    import numpy as np

    rows = len(score)
    group, positives, negatives = tied(positive, score)
    if not positives.sum():
        return None
    hits = np.cumsum(positives[::-1])[::-1] / rows
    all_above = np.cumsum((positives + negatives)[::-1])[::-1] / rows
    precision, share = hits / all_above, positives.sum() / rows
    value = float(positives @ precision / positives.sum())
    first = np.cumsum(positives / rows / all_above)
    second = np.cumsum(positives / rows * precision / all_above)
    adds = positive * (precision + first - value)[group] - second[group]
    # Of few rows it is biased upwards, and a binomial interval holds better (Boyd and others 2013).
    ends = mean_ends(np.array([value * positives.sum()]), np.array([positives.sum()]))
    return linear(value, adds / share, ends)


def tied(
    positive: NDArray[np.bool_], score: NDArray[np.float64]
) -> tuple[NDArray[np.int64], NDArray[Any], NDArray[Any]]:
    """Rows of equal score are a group, from the lowest up: the group of rows, what groups have of each."""
    import numpy as np

    levels, group = np.unique(score, return_inverse=True)
    positives = np.bincount(group, positive, len(levels))
    return np.asarray(group, dtype=np.int64), positives, np.bincount(group, minlength=len(levels)) - positives


def linear(value: float, influence: NDArray[np.float64], ends: Ends | None = None) -> Statistic:
    """A metric as the mean of itself plus each row's influence, which has mean 0."""
    return plain(value + influence, ends)
