"""scikit-learn's models on the same arrays that the networks read."""

from __future__ import annotations

from typing import Any

from pipelines.models.bundle import Description
from pipelines.training.arrays import load_arrays
from pipelines.training.job import FitJob


def fit_estimator(job: FitJob) -> dict[str, float]:
    """Fit and put the estimator into the bundle; numbers worth keeping."""
    import skops.io

    data = load_arrays(job.arrays)
    model = boosting(job.description, job.training.seed)
    model.fit(data["x"], data["y"], sample_weight=data["weight"])
    skops.io.dump(model, job.bundle / "estimator.skops")
    return {"iterations": float(model.n_iter_)}


def boosting(description: Description, seed: int) -> Any:
    """Histogram gradient boosting, told which columns are codes."""
    import numpy as np
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

    kind = (
        HistGradientBoostingRegressor if description.task == "regression" else HistGradientBoostingClassifier
    )
    columns = description.numbers + len(description.cardinalities)
    coded = np.arange(columns) >= description.numbers
    return kind(random_state=seed, categorical_features=coded if coded.any() else None)
