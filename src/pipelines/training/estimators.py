"""scikit-learn's models on the same arrays that the networks read."""

from __future__ import annotations

from typing import Any

from pipelines.models.bundle import Description
from pipelines.training.arrays import load_arrays
from pipelines.training.job import FitJob

# More than scikit-learn's 100, and slower (`model.shrinkage`): the validation part says when to stop.
MOST_ITERATIONS = 1000
MOST_TREES = 3000  # where boosting is one try of several: each class of many takes one in each round
PATIENCE = 20
MOST_CATEGORIES = 255  # that a histogram tells apart
# Losses of `training.loss` under scikit-learn's names.
BOOSTING_LOSSES = {"auto": "squared_error", "squared": "squared_error", "absolute": "absolute_error"}


def fit_estimator(job: FitJob) -> list[int]:
    """Fit and put the estimator into the bundle; the best number of rounds of each model of boosting.

    None for a linear one.
    """
    from pipelines.models import skops_file

    data = load_arrays(job.arrays)
    fit = fit_linear if job.description.kind == "linear" else fit_boosting
    fitted = fit(job, data)
    skops_file.dump(fitted, job.bundle / "estimator.skops")
    if job.description.kind == "linear":
        return []
    return [best_round(model) for model in (fitted if isinstance(fitted, list) else [fitted])]


# ------------------------------------------------------------------------------------------------ boosting


def fit_boosting(job: FitJob, data: dict[str, Any]) -> Any:
    """Histogram gradient boosting; of a regression one for the value, and one for each quantile."""
    if job.description.classes:
        return fit_one_boosting(job, data, 0)
    losses: list[dict[str, Any]] = [{"loss": BOOSTING_LOSSES[job.training.loss]}]
    losses += [{"loss": "quantile", "quantile": level} for level in job.description.model.quantiles]
    return [fit_one_boosting(job, data, number, **loss) for number, loss in enumerate(losses)]


def fit_one_boosting(job: FitJob, data: dict[str, Any], number: int, **settings: Any) -> Any:
    """Boost until the validation part is no longer predicted better, or as often as the job says.

    `number` counts the models of a job.
    """
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

    watched = job.validated and len(data["y_validation"]) > 0
    kind = HistGradientBoostingClassifier if job.description.classes else HistGradientBoostingRegressor
    asked = job.description.model
    model = kind(
        learning_rate=asked.shrinkage,
        max_leaf_nodes=asked.leaves,
        min_samples_leaf=asked.leaf_rows,
        l2_regularization=asked.penalty or 0.0,
        max_iter=job.rounds[number] if job.rounds else most_rounds(job.description),
        early_stopping=watched,
        n_iter_no_change=PATIENCE,
        categorical_features=categorical(job.description),
        random_state=job.training.seed,
        **settings,
    )
    seen = data["y_validation"] >= 0 if job.description.classes else slice(None)
    held = {"X_val": data["x_validation"][seen], "y_val": data["y_validation"][seen]} if watched else {}
    return model.fit(data["x"], data["y"], sample_weight=data["weight"], **held)


def most_rounds(description: Description) -> int:
    """Rounds at most, fewer of many classes unless boosting was asked for: minutes are spent on them."""
    classes = len(description.classes)
    if classes <= 2 or description.model.kind == "gradient_boosting":
        return MOST_ITERATIONS
    return min(MOST_ITERATIONS, max(1, MOST_TREES // classes))


def best_round(model: Any) -> int:
    """The round after which the validation part was predicted best, at least 1; the last one without it."""
    scores = model.validation_score_  # the first is before any round
    return max(1, int(scores.argmax())) if len(scores) else int(model.n_iter_)


def categorical(description: Description) -> Any:
    """Which columns are categories; one with more values than a histogram has bins is taken as a number."""
    import numpy as np

    few = [n <= MOST_CATEGORIES for n in description.cardinalities]
    mask = np.array([False] * description.numbers + few)
    return mask if mask.any() else None


# ------------------------------------------------------------------------------------------------ linear


def fit_linear(job: FitJob, data: dict[str, Any]) -> Any:
    """Ridge, Huber's or logistic regression on the numbers and on categories as columns of 0 and 1."""
    from sklearn.compose import ColumnTransformer
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import OneHotEncoder

    numbers = list(range(job.description.numbers))
    codes = list(range(len(numbers), data["x"].shape[1]))
    steps = [("numbers", "passthrough", numbers), ("codes", OneHotEncoder(handle_unknown="ignore"), codes)]
    columns = ColumnTransformer([s for s in steps if s[2]])
    model = Pipeline([("columns", columns), ("model", linear_model(job))])
    model.fit(data["x"], data["y"], model__sample_weight=data["weight"])
    return model if job.description.classes else [model]


def linear_model(job: FitJob) -> Any:
    from sklearn.linear_model import HuberRegressor, LogisticRegression, Ridge

    asked = job.description.model.penalty
    penalty = 1.0 if asked is None else asked
    if job.description.classes:
        return LogisticRegression(C=1 / max(penalty, 1e-12), max_iter=500)
    return (
        HuberRegressor(alpha=1e-4 * penalty, max_iter=500) if job.training.loss == "huber" else Ridge(penalty)
    )
