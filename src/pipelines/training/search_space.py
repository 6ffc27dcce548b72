"""Where a tuning looks for better settings, and how settings become a job."""

from __future__ import annotations

from typing import Any

from pipelines.config import Tuning
from pipelines.config.searching import OF_MODEL, SEARCHED, WHOLE, Dimension, by_ratio
from pipelines.training.job import FitJob

# The networks' ranges are those of the experiments of Gorishniy, Kotelnikov and Babenko 2025, "TabM"
# (paper/exp/{tabm,mlp}/*/0-tuning.toml in their repository), with the width cut from 1,024 to 512, since a
# trial is to take minutes on a CPU, and the weight decay from 1e-5 on instead of a choice of none.
NETWORK = {
    "depth": Dimension(low=1, high=5),
    "width": Dimension(low=32, high=512),
    "dropout": Dimension(low=0, high=0.5),
    "learning_rate": Dimension(low=1e-4, high=1e-2),
    "weight_decay": Dimension(low=1e-5, high=1e-1),
}
# Boosting's are those of auto-sklearn's component for the same estimator (Feurer and others 2015), with at
# most 255 leaves instead of 2,047; its rounds are found by early stopping in every trial.
DEFAULT_SPACES: dict[str, dict[str, Dimension]] = {
    "linear": {"penalty": Dimension(low=1e-4, high=1e4)},
    "gradient_boosting": {
        "shrinkage": Dimension(low=0.01, high=0.5),
        "leaves": Dimension(low=4, high=255),
        "leaf_rows": Dimension(low=1, high=200),
        "penalty": Dimension(low=1e-10, high=1.0),
    },
    "mlp": NETWORK,
    "tabm": NETWORK,
    # Of a module that we do not know, what any network has.
    "own": {name: NETWORK[name] for name in ("learning_rate", "weight_decay")},
}
STANDARD_PENALTY = {"linear": 1.0, "gradient_boosting": 0.0}  # what `penalty: null` means


def search_space(kind: str, tuning: Tuning) -> dict[str, Dimension]:
    """What is searched for a kind of model: its default space, with the definition's own ranges over it.

    Ranges of settings that the kind does not have, which `model: auto` allows, are left out.
    """
    family = "own" if ":" in kind else kind
    asked = {name: d for name, d in tuning.space.items() if family in SEARCHED[name]}
    return DEFAULT_SPACES[family] | asked


def distributions(space: dict[str, Dimension]) -> dict[str, Any]:
    """The space in Optuna's words."""
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    found: dict[str, Any] = {}
    for name, d in space.items():
        if d.choices is not None:
            found[name] = CategoricalDistribution(d.choices)
        elif name in WHOLE:
            found[name] = IntDistribution(int(d.low), int(d.high), log=by_ratio(name, d))
        else:
            found[name] = FloatDistribution(d.low, d.high, log=by_ratio(name, d))
    return found


def own_settings(job: FitJob, space: dict[str, Dimension]) -> dict[str, Any]:
    """The job's own settings, as near as the space has them: the first trial, which the others must beat."""
    own = job.description.model.model_dump() | job.training.model_dump()
    if own["penalty"] is None:
        own["penalty"] = STANDARD_PENALTY.get(job.description.kind)
    return {name: nearest(name, d, own[name]) for name, d in space.items()}


def nearest(name: str, dimension: Dimension, value: Any) -> Any:
    """The value within the range; a choice that is not offered is the first, what is no number the least."""
    if dimension.choices is not None:
        return value if value in dimension.choices else dimension.choices[0]
    number = value if isinstance(value, int | float) else dimension.low
    within = min(max(number, dimension.low), dimension.high)
    return int(within) if name in WHOLE else float(within)


def with_settings(job: FitJob, settings: dict[str, Any]) -> FitJob:
    """The same job with other settings of model and training."""
    model = job.description.model.model_dump() | {n: v for n, v in settings.items() if n in OF_MODEL}
    training = job.training.model_dump() | {n: v for n, v in settings.items() if n not in OF_MODEL}
    description = job.description.model_copy(
        update={"model": type(job.description.model).model_validate(model)}
    )
    return job.model_copy(
        update={"description": description, "training": type(job.training).model_validate(training)}
    )
