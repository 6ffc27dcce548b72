"""From a snapshot to a training loop's arrays, with preprocessing fitted on the training part alone."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.config import PipelineConfig
from pipelines.data.storage.snapshots import read_snapshot
from pipelines.models import features
from pipelines.models.bundle import Description, write_description
from pipelines.records import Attempt
from pipelines.splitting import split_rows
from pipelines.training.folder import AttemptFolder

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

NAMES = ("x", "y", "weight", "x_validation", "y_validation")


def prepare_arrays(config: PipelineConfig, attempt: Attempt, folder: AttemptFolder) -> Description:
    """Fit the preprocessing, begin the bundle, and write the arrays as .npy files."""
    import numpy as np

    parts = split_rows(read_snapshot(attempt.snapshot), config)
    types = features.feature_types(config)
    step = features.fit_features(parts.train, types)
    x = features.transform(step, parts.train, types)
    description = describe_model(config, parts.train[config.data.target], step, x.shape[1])
    write_description(folder.bundle, description, step)
    arrays = {
        "x": x,
        "y": encode_target(parts.train[config.data.target], description),
        "weight": recency_weights(parts.train, config),
        "x_validation": features.transform(step, parts.validation, types),
        "y_validation": encode_target(parts.validation[config.data.target], description),
    }
    folder.arrays.mkdir(exist_ok=True)
    for name in NAMES:
        np.save(folder.arrays / f"{name}.npy", arrays[name])
    return description


def load_arrays(folder: Path) -> dict[str, Any]:
    """The arrays by name: float32, and int64 for classes."""
    import numpy as np

    return {name: np.load(folder / f"{name}.npy") for name in NAMES}


def describe_model(config: PipelineConfig, target: pd.Series, step: Any, width: int) -> Description:
    """What must be known to build the model anew."""
    codes = features.cardinalities(step)
    regression = config.task == "regression"
    return Description(
        kind=config.model.kind,
        task=config.task,
        target=config.data.target,
        timestamp=config.data.timestamp,
        types=features.feature_types(config),
        classes=[] if regression else sorted(target.astype(str).unique()),
        mean=float(target.mean()) if regression else 0.0,
        scale=(float(target.std()) or 1.0) if regression else 1.0,
        numbers=width - len(codes),
        cardinalities=codes,
        model=config.model,
    )


def encode_target(target: pd.Series, description: Description) -> NDArray[Any]:
    """The target as the loop wants it: standardised values, or each class's number (-1: never seen)."""
    import pandas as pd

    if description.task == "regression":
        scaled: NDArray[Any] = ((target.to_numpy() - description.mean) / description.scale).astype("float32")
        return scaled
    codes: NDArray[Any] = pd.Categorical(target.astype(str), categories=description.classes).codes.astype(
        "int64"
    )
    return codes


def recency_weights(frame: pd.DataFrame, config: PipelineConfig) -> NDArray[np.float32]:
    """How much each row counts, mean 1: half for each half-life of age; all alike without one."""
    import numpy as np

    half_life, timestamp = config.training.half_life, config.data.timestamp
    if half_life is None or timestamp is None:
        return np.ones(len(frame), dtype=np.float32)
    age = (frame[timestamp].max() - frame[timestamp]).dt.total_seconds().to_numpy()
    weights = 0.5 ** (age / half_life.total_seconds())
    normed: NDArray[np.float32] = (weights / weights.mean()).astype(np.float32)
    return normed
