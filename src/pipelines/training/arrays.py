"""From rows to a training's arrays, with preprocessing fitted on the rows that are learnt from alone."""

from __future__ import annotations

import math
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from pipelines.config import PipelineConfig
from pipelines.errors import ConfigError, DataError, writing
from pipelines.files import write_whole
from pipelines.models import custom, features, skops_file
from pipelines.models.bundle import FEATURES, Description, load_features
from pipelines.models.code import CODE, keep_code, own_references
from pipelines.models.networks import build_network, find_bins
from pipelines.records import Record, Snapshot
from pipelines.training.weights import RowWeights, fit_weights

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    from pipelines.partition import Partition

VALIDATION = ("x_validation", "y_validation")
NAMES = ("x", "y", "weight", *VALIDATION)
MAPPED = 2**26  # bytes, from which on an array is mapped: workers share it, and memory need not hold it
PLAN, PIECES = "stream.json", "pieces.parquet"
DESCRIPTION = "description.json"  # written last: where it is, the rest is whole


def prepare_arrays(config: PipelineConfig, rows: Partition, roles: Roles, folder: Path) -> Description:
    """Fit the features on the rows to learn from and write arrays, features and description to `folder`.

    x is float32 (rows, numbers + codes), y float32 of standardised values or int64 of classes, weight float32
    with mean 1. Of many rows the features are fitted on a sample, and all are transformed piece by piece.
    With `training.stream` the rows to learn from are not written, only where they lie: a StreamPlan. What is
    there from an earlier call is found.
    """
    if (folder / DESCRIPTION).exists():
        return Description.model_validate_json((folder / DESCRIPTION).read_bytes())
    folder.mkdir(parents=True, exist_ok=True)
    keep_code(config, folder / CODE)
    learnt = rows.table(*roles.learn, columns=target_columns(config))
    step, seen = fit_step(config, rows.sample(*roles.learn), folder)
    description = describe_model(config, learnt[config.data.target], step, seen)
    weights = fit_weights(learnt, config)
    write_part(folder, "_validation", rows, roles.hold, step, description)
    if config.training.stream is True and rows.snapshot is not None:
        write_plan(folder, rows.snapshot, rows, roles.learn, weights)
    else:
        write_part(folder, "", rows, roles.learn, step, description)
        save_array(folder / "weight.npy", weights.weigh(learnt))
    if config.features is None:
        skops_file.dump(step, folder / FEATURES)
    else:
        custom.keep_own(config.features, step, folder / FEATURES)
    check_own(config, description, folder)
    write_whole(folder / DESCRIPTION, description.model_dump_json())
    return description


class Roles(NamedTuple):
    """Which parts of the table are learnt from, and which decide when to stop."""

    learn: tuple[str, ...]
    hold: tuple[str, ...]


TRAIN = Roles(("train",), ("validation",))
REFIT = Roles(("train", "validation"), ())


def target_columns(config: PipelineConfig) -> list[str]:
    """What a row's target and weight come from."""
    return list(dict.fromkeys(filter(None, [config.data.target, config.data.timestamp])))


def fit_step(config: PipelineConfig, sample: pd.DataFrame, folder: Path) -> tuple[Any, NDArray[np.float32]]:
    """The fitted features, and the sample as they make it."""
    types = features.feature_types(config)
    if config.features is not None:
        target = sample[config.data.target]
        step, x = custom.fit_own(config.features, folder / CODE, sample[list(types)], target)
        return (step, x) if config.model.own or x.ndim > 2 else custom.scale_own(step, x)
    step = features.fit_features(sample, types, config.data.timestamp, config.training.trend is True)
    return step, features.transform(step, sample, types)


def write_part(
    folder: Path, suffix: str, rows: Partition, names: tuple[str, ...], step: Any, description: Description
) -> None:
    """x and y of some parts of the table, transformed piece by piece."""
    found = (transform(step, piece, description) for piece in rows.pieces(*names))
    write_array(folder / f"x{suffix}.npy", (rows.count(*names), *description.shape), found)
    target = rows.table(*names, columns=[description.target])[description.target]
    save_array(folder / f"y{suffix}.npy", encode_target(target, description))


class StreamPlan(Record):
    """What a stream of so many rows is made from, beside description and features.

    Where they lie is in PIECES in the same folder: see `Partition.locate`.
    """

    snapshot: Snapshot
    weights: RowWeights
    rows: int


def write_plan(
    folder: Path, snapshot: Snapshot, rows: Partition, names: tuple[str, ...], weights: RowWeights
) -> None:
    """What `read_plan` gives, and the pieces that hold the rows."""
    from pyarrow import parquet

    with writing("the plan of the stream", folder, "the training begins anew"):
        parquet.write_table(rows.locate(*names), folder / PIECES)
    plan = StreamPlan(snapshot=snapshot, weights=weights, rows=rows.count(*names))
    write_whole(folder / PLAN, plan.model_dump_json())


def read_plan(folder: Path) -> StreamPlan:
    return StreamPlan.model_validate_json((folder / PLAN).read_bytes())


def write_array(path: Path, shape: tuple[int, ...], pieces: Iterable[NDArray[np.float32]]) -> None:
    """A .npy file of float32, written piece by piece."""
    from numpy.lib import format as npy

    header = {"descr": "<f4", "fortran_order": False, "shape": shape}
    with writing("the arrays", path, "the training begins anew"), path.open("wb") as file:
        npy.write_array_header_1_0(file, header)
        for piece in pieces:
            file.write(piece.tobytes())


def save_array(path: Path, array: NDArray[Any]) -> None:
    import numpy as np

    with writing("the arrays", path, "the training begins anew"):
        np.save(path, array)


def transform(step: Any, frame: pd.DataFrame, description: Description) -> NDArray[np.float32]:
    """Later rows as the model reads them."""
    if description.features is None:
        return features.transform(step, frame, description.types)
    return custom.transform_own(step, frame[list(description.types)], tuple(description.shape))


def check_own(config: PipelineConfig, description: Description, folder: Path) -> None:
    """Raise ConfigError where the user's code does not give what it must: here, before any worker starts."""
    load_features(folder)
    if config.model.own:
        custom.check_learning(build_network(description, folder), description)
    elif len(description.shape) > 1:
        raise ConfigError(
            f"model: {config.model.kind} reads rows of numbers, (columns,), and the pipeline's own features"
            f" give rows of the shape {tuple(description.shape)}.",
            "Let `model: module:function` build a network for them, or give a table.",
        )
    if "training.loss" in own_references(config):
        custom.own_loss(
            config.training.loss, folder, len(description.classes) or 1, bool(description.classes)
        )


def load_arrays(folder: Path, names: tuple[str, ...] = NAMES) -> dict[str, Any]:
    """The arrays by name: float32, and int64 for classes; large ones stay in their files until read."""
    import numpy as np

    paths = {name: folder / f"{name}.npy" for name in names}
    return {n: np.load(p, mmap_mode="c" if p.stat().st_size > MAPPED else None) for n, p in paths.items()}


def describe_model(
    config: PipelineConfig, target: pd.Series, step: Any, x: NDArray[np.float32]
) -> Description:
    """What must be known to build the model anew."""
    codes = [] if config.features else features.cardinalities(step)
    regression = config.task == "regression"
    return Description(
        kind=config.model.kind,
        task=config.task,
        target=config.data.target,
        timestamp=config.data.timestamp,
        types=features.feature_types(config),
        classes=[] if regression else sorted(target.astype(str).unique()),
        mean=float(target.mean()) if regression else 0.0,
        scale=spread(target) if regression else 1.0,
        bins=find_bins(x[:, : x.shape[1] - len(codes)]) if x.ndim == 2 else [],
        cardinalities=codes,
        model=config.model,
        shape=list(x.shape[1:]),
        features=config.features,
    )


def spread(target: pd.Series) -> float:
    """The standard deviation of the target; 1 where it is none but rounding. Raises DataError."""
    deviation = float(target.std())
    if not math.isfinite(deviation):
        raise DataError(
            f"The target {target.name!r} goes from {target.min():.3g} to {target.max():.3g}: too far.",
            "If that stands for a missing value, name it in data.format.missing.",
        )
    return deviation if deviation > 1e-9 * abs(float(target.mean())) else 1.0


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
