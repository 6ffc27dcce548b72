"""What a user brings: a network, features, a loss; what each must give, what is said where it does not."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.config import Model
from pipelines.errors import ConfigError, DataError, EvergreenError
from pipelines.models.code import CODE, describe, find_function, place_in_code
from pipelines.records import Task

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray
    from torch import Tensor, nn

    from pipelines.models.bundle import Description


@dataclass(frozen=True)
class Inputs:
    """What `build` is told of the rows that its network will read, and of what it must answer.

    shape: of one row, so a batch is float32 (batch, *shape). With the built-in features it is
    (numbers + codes,): scaled numbers first, then a code from 0 for each category, below its cardinality.
    outputs: the classes, or the value and the definition's quantiles. A network gives (batch, outputs), or
    (batch, members, outputs) of an ensemble: logits of the classes, or values of the standardised target.
    model: the definition's own `model` section, with width, depth and the like.
    """

    shape: tuple[int, ...]
    numbers: int
    cardinalities: list[int]
    outputs: int
    task: Task
    classes: list[str]
    model: Model


def run_own(key: str, reference: str, function: Callable[..., Any], *arguments: Any) -> Any:
    """What the user's function gives. Raises ConfigError, naming key and line, where it raises anything."""
    try:
        return function(*arguments)
    except (Exception, SystemExit) as error:
        raise ConfigError(f"{key}: {reference} raised {describe(error)}.", "Mend the module.") from error


# ------------------------------------------------------------------------------------------------ network


def build_own(description: Description, bundle: Path) -> nn.Module:
    """The user's network, untrained. Raises ConfigError unless it answers two rows of zeros as it must."""
    from torch import nn

    reference = description.kind
    build = find_function(bundle / CODE, "model", reference)
    inputs = Inputs(
        shape=tuple(description.shape),
        numbers=description.numbers,
        cardinalities=description.cardinalities,
        outputs=description.outputs,
        task=description.task,
        classes=description.classes,
        model=description.model,
    )
    network = run_own("model", reference, build, inputs)
    if not isinstance(network, nn.Module):
        raise ConfigError(
            f"model: {reference} gave {type(network).__name__}, not a torch.nn.Module.",
            "Return the untrained network.",
        )
    check_outputs(network, description)
    return network


def check_outputs(network: nn.Module, description: Description, training: bool = False) -> Any:
    """What it answers to two rows of zeros; weights that are made at the first call are made here."""
    import torch

    reference, outputs = description.kind, description.outputs
    with torch.random.fork_rng(devices=[]), torch.set_grad_enabled(training):
        network.train(training)
        zeros = torch.zeros(2, *description.shape)
        found = run_own("model", f"{reference}'s forward", network, zeros)
        network.train()
    shape = tuple(getattr(found, "shape", ()))
    if len(shape) not in (2, 3) or (shape[0], shape[-1]) != (2, outputs):
        raise ConfigError(
            f"model: the network of {reference} gave {shape or type(found).__name__} for rows of shape"
            f" (2, {', '.join(map(str, description.shape))}); expected (2, {outputs}), or"
            f" (2, members, {outputs}).",
            "`inputs.outputs` says how many outputs there must be.",
        )
    return found


def check_learning(network: nn.Module, description: Description) -> None:
    """Raise ConfigError where the network does not answer in training, or nothing in it can be learnt.

    The network is spoilt by it: layers such as batch normalisation have seen the zeros.
    """
    if not check_outputs(network, description, training=True).requires_grad:
        raise ConfigError(
            f"model: the network of {description.kind} has no weights that can be learnt.",
            "Compute its outputs from parameters with requires_grad, without detach or numpy.",
        )


@contextmanager
def in_words() -> Iterator[None]:
    """Around what calls the user's network: what its code raises becomes a ConfigError, other errors stay."""
    try:
        yield
    except Exception as error:
        if isinstance(error, EvergreenError) or not place_in_code(error):
            raise
        raise ConfigError(f"model: the network raised {describe(error)}.", "Mend the module.") from error


# ------------------------------------------------------------------------------------------------ features


def fit_own(
    reference: str, code: Path, frame: pd.DataFrame, target: pd.Series
) -> tuple[Any, NDArray[np.float32]]:
    """The user's features fitted on training rows, and what they make of them.

    A row without any value must be taken, too: the prediction service asks about one. Raises ConfigError.
    """
    step = run_own("features", reference, find_function(code, "features", reference))
    lacking = [name for name in ("fit", "transform") if not callable(getattr(step, name, None))]
    if lacking:
        raise ConfigError(
            f"features: {reference} gave {type(step).__name__}, which has no {' and no '.join(lacking)}.",
            "Return an object with fit(frame, target) and transform(frame), as scikit-learn's are.",
        )
    run_own("features", f"{reference}'s fit", step.fit, frame, target)
    x = run_own("features", f"{reference}'s transform", step.transform, frame)
    x = as_rows(x, len(frame), ConfigError)
    empty = frame.head(1).copy()
    for name in empty.columns:
        empty[name] = empty[name].where(empty[name].isna())
    answer = run_own("features", f"{reference}'s transform of a row without any value", step.transform, empty)
    as_rows(answer, 1, ConfigError, x.shape[1:])
    return step, x


@dataclass(frozen=True)
class Scaled:
    """The user's features as the built-in models read them: on the scale of the built-in features."""

    own: Any
    scaler: Any

    def transform(self, frame: pd.DataFrame) -> NDArray[np.float64]:
        """(rows, columns); what is missing or not finite stays so."""
        scaled: NDArray[np.float64] = self.scaler.transform(dense(self.own.transform(frame)))
        return scaled


def scale_own(step: Any, x: NDArray[np.float32]) -> tuple[Scaled, NDArray[np.float32]]:
    """The fitted features with a scale fitted on what they made, (rows, columns), and that on the scale."""
    from pipelines.models.scaling import SoftScaler

    scaler = SoftScaler().fit(x)
    return Scaled(step, scaler), scaler.transform(x).astype("float32")


def keep_own(reference: str, step: Any, path: Path) -> None:
    """Write the fitted features. Raises ConfigError where they hold what no skops file can."""
    from pipelines.models import skops_file

    try:
        skops_file.dump(step, path)
    except Exception as error:
        raise ConfigError(
            f"features: what {reference} gave cannot be kept once it is fitted:"
            f" {type(error).__name__}: {error}.",
            "Keep numbers, texts, arrays and scikit-learn's objects in it: no functions, files or tensors.",
        ) from error


def transform_own(step: Any, frame: pd.DataFrame, shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Later rows by the fitted features. Raises DataError where they cannot be used."""
    try:
        found = step.transform(frame)
    except Exception as error:
        raise DataError(
            f"The pipeline's own features raised {type(error).__name__}: {str(error)[:300]}.",
            "Look at these rows, or let transform take them as missing.",
        ) from error
    return as_rows(found, len(frame), DataError, shape)


def as_rows(
    found: Any,
    rows: int,
    error: type[ConfigError] | type[DataError],
    shape: tuple[int, ...] | None = None,
) -> NDArray[np.float32]:
    """float32 (rows, *shape), all finite; raises `error` where it is anything else."""
    import numpy as np

    try:
        array = np.asarray(dense(found), dtype=np.float32)
    except (TypeError, ValueError) as problem:
        raise error(
            f"features: transform gave {type(found).__name__}, no array of numbers: {problem}.",
            "Give float32 of shape (rows, ...).",
        ) from problem
    wanted = "(rows, ...)" if shape is None else str((rows, *shape))
    changed = shape is not None and array.shape[1:] != tuple(shape)
    if array.ndim < 2 or len(array) != rows or changed or 0 in array.shape[1:]:
        raise error(
            f"features: transform gave the shape {array.shape} for {rows} rows; expected {wanted}.",
            "Give one entry a row, always of the same shape.",
        )
    if not np.isfinite(array).all():
        row = int(np.argmin(np.isfinite(array).reshape(rows, -1).all(axis=1)))
        raise error(
            f"features: transform gave a number that is not finite, first in row {row + 1} of {rows}.",
            "Fill what is missing in transform.",
        )
    return array


def dense(found: Any) -> Any:
    """A sparse matrix in full; anything else as it is."""
    return found.toarray() if hasattr(found, "toarray") else found


# ------------------------------------------------------------------------------------------------ loss


def own_loss(reference: str, bundle: Path, outputs: int, classes: bool) -> Callable[[Tensor, Tensor], Tensor]:
    """The user's loss of outputs (batch, outputs) and target (batch,), checked at each call.

    Raises ConfigError where it gives anything but a number a row, or nothing that can be learnt from.
    """
    import torch

    code = bundle / CODE
    own = find_function(code, "training.loss", reference)

    def checked(found: Tensor, target: Tensor) -> Tensor:
        losses = run_own("training.loss", reference, own, found, target)
        if getattr(losses, "shape", None) != target.shape:
            raise ConfigError(
                f"training.loss: {reference} gave {tuple(getattr(losses, 'shape', ()))} for outputs"
                f" {tuple(found.shape)}; expected a loss a row, ({len(target)},), not their mean.",
                "With reduction='none' torch's own losses give that.",
            )
        return losses  # type: ignore[no-any-return]  # the user's

    trial = torch.zeros(2, outputs, requires_grad=True)
    target = torch.zeros(2, dtype=torch.int64 if classes else torch.float32)
    with torch.enable_grad():
        if not checked(trial, target).requires_grad:
            raise ConfigError(
                f"training.loss: {reference} gives losses without a gradient.",
                "Compute them from `outputs` by torch's functions, without detach or numpy.",
            )
    return checked
