"""The parts of a definition that say what is learnt, how, with what, and at what price."""

from __future__ import annotations

import math
import re
from datetime import timedelta
from typing import Annotated, Any, Literal

from pydantic import (
    BeforeValidator,
    Field,
    StringConstraints,
    ValidationError,
    field_validator,
    model_validator,
)

from pipelines.config.searching import OF_MODEL, SEARCHED, WHOLE, Dimension
from pipelines.config.sections import Section, Span
from pipelines.records import Task

CODE = r"[A-Za-z_][\w.]*:[A-Za-z_]\w*"  # module:function
# From simple to rich: of models that are as good, the one that stands first is taken.
KINDS = ("linear", "gradient_boosting", "mlp", "tabm")
NETWORKS = ("mlp", "tabm")
# Epochs of a table of some 10,000 rows, of some 50,000, and of a very large one (see docs/decisions.md).
MOST_EPOCHS, FEW_EPOCHS, FEWEST_EPOCHS, SAMPLES = 40, 12, 3, 600_000
# The epochs of a few hundred rows are so short that forty of them teach too little.
FEWEST_UPDATES, VERY_MANY_EPOCHS = 1_500, 200
LARGE = 500_000  # rows, from which on larger batches cost no quality and save time

Loss = Literal["squared", "absolute", "huber", "cross_entropy", "focal"]
# What scikit-learn's kinds can learn; networks can all of it, and the user's own.
ESTIMATOR_LOSSES = {
    "linear": ("auto", "squared", "huber", "cross_entropy"),
    "gradient_boosting": ("auto", "squared", "absolute", "cross_entropy"),
}
LOSSES: dict[Task, tuple[str, ...]] = {
    "regression": ("squared", "absolute", "huber"),
    "binary": ("cross_entropy", "focal"),
    "multiclass": ("cross_entropy", "focal"),
}

Code = Annotated[str, StringConstraints(pattern=f"^{CODE}$")]
Auto = Literal["auto"]
ClassName = Annotated[str, BeforeValidator(str)]  # 0 in YAML is a number
Weight = Annotated[float, Field(gt=0)]


class Model(Section):
    """What learns. In YAML `model: tabm` is short for `model: {kind: tabm}`.

    kind: `auto` tries linear, gradient_boosting and tabm and takes the best on the validation part; or one of
    KINDS; or `module:function`, which builds a torch module (see docs/training.md).
    """

    kind: str = "auto"
    width: int = Field(96, ge=4, le=4096)
    depth: int = Field(2, ge=1, le=16)
    dropout: float = Field(0.1, ge=0, lt=1)
    members: int = Field(8, ge=1, le=64)  # of a tabm's ensemble
    leaves: int = Field(31, ge=2, le=4096)  # of a tree of gradient_boosting, at most
    leaf_rows: int = Field(20, ge=1)  # of a leaf, at least
    shrinkage: float = Field(0.05, gt=0, le=1)  # gradient_boosting's learning rate
    penalty: float | None = Field(None, ge=0)  # L2; None is 1 for linear, 0 for gradient_boosting
    quantiles: list[float] = []  # of a regression: each is predicted beside the value, as q_<quantile>

    @model_validator(mode="before")
    @classmethod
    def from_short_form(cls, value: Any) -> Any:
        return {"kind": value} if isinstance(value, str) else value

    @field_validator("kind")
    @classmethod
    def known_kind(cls, kind: str) -> str:
        if kind not in ("auto", *KINDS) and not re.fullmatch(CODE, kind):
            raise ValueError(f"expected auto, {', '.join(KINDS)}, or module:function")
        return kind

    @field_validator("quantiles")
    @classmethod
    def in_order(cls, quantiles: list[float]) -> list[float]:
        if any(not 0 < q < 1 for q in quantiles) or len(set(quantiles)) < len(quantiles):
            raise ValueError("expected different numbers between 0 and 1")
        return sorted(quantiles)

    @property
    def own(self) -> bool:
        """Whether the user's own function builds the model."""
        return ":" in self.kind


def as_range(value: object) -> object:
    """`[1, 4]` in YAML is a range of workers."""
    return tuple(value) if isinstance(value, list) else value


class Training(Section):
    """How a network is trained; the seed, the weights of rows and the timeout hold for every kind.

    workers: `auto` is a worker per GPU, one on a cluster without GPUs, the driver's own process without a
    cluster; `[1, 4]` takes what there is between the two and goes on when a node comes or goes; 0 is the
    driver's own process.
    gpus: per worker; a fraction shares one. `auto` is one where the cluster has any.
    """

    workers: Annotated[int | Auto | tuple[int, int], BeforeValidator(as_range)] = "auto"
    gpus: Annotated[float, Field(ge=0, allow_inf_nan=False)] | Auto = "auto"
    strategy: Literal["auto", "ddp", "fsdp"] = "auto"
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    compile: bool | Auto = "auto"
    stream: bool | Auto = "auto"  # rows by Ray Data from the snapshot's files, none kept; auto is false
    loss: Loss | Code | Auto = "auto"
    class_weights: Literal["balanced"] | dict[ClassName, Weight] | None = None
    epochs: Annotated[int, Field(ge=1)] | Auto = "auto"
    patience: int = Field(10, ge=1)
    batch_size: Annotated[int, Field(ge=2)] | Auto = "auto"  # rows of an update, over all workers
    accumulate: int = Field(1, ge=1)  # pieces that a batch is cut into, to fit into a device's memory
    learning_rate: float = Field(2e-3, gt=0)
    schedule: Literal["cosine", "constant"] = "cosine"
    warmup: float = Field(0.02, ge=0, lt=1)  # share of the updates over which the learning rate rises
    weight_decay: float = Field(3e-4, ge=0)
    clip: float | None = Field(1.0, gt=0)  # largest norm of the gradients
    half_life: Span | Auto | None = "auto"  # a row so much older counts half
    trend: bool | Auto = "auto"  # whether the passing of days is a feature; auto, of both: if it helps
    refit: bool = True  # once the best epoch is known, learn from the validation part, too
    deterministic: bool = True  # the same weights bit for bit on the same kind of machine
    seed: int = Field(7, ge=0, lt=2**32)
    timeout: Span = timedelta(hours=2)
    stall: Span = timedelta(minutes=10)  # without a sign of progress for so long it is ended and begun again
    failures: int = Field(3, ge=0)  # deaths of processes that an attempt survives
    checkpoints: str | None = None  # where checkpoints go: any address that fsspec knows

    def for_rows(self, rows: int) -> Training:
        """The same with `epochs` and `batch_size` in numbers, which depend on how many rows there are.

        Forty epochs at most; of more rows as many as see SAMPLES of them in all, but at least
        twelve, or three of very many; of few hundred rows as many as make FEWEST_UPDATES, but
        at most two hundred.
        """
        fewest = FEW_EPOCHS if rows < LARGE else FEWEST_EPOCHS
        batch = 2 ** round(math.log2(min(max(rows / 40, 32), 512 if rows < LARGE else 4096)))
        most = max(MOST_EPOCHS, min(VERY_MANY_EPOCHS, FEWEST_UPDATES // max(rows // batch, 1)))
        epochs = min(most, max(fewest, SAMPLES // max(rows, 1)))
        return self.model_copy(
            update={
                "epochs": epochs if self.epochs == "auto" else self.epochs,
                "batch_size": batch if self.batch_size == "auto" else self.batch_size,
            }
        )

    @field_validator("gpus")
    @classmethod
    def part_or_whole(cls, gpus: float | str) -> float | str:
        if not isinstance(gpus, str) and gpus > 1 and gpus % 1:
            raise ValueError("expected auto, a fraction of one, or whole ones")
        return gpus

    @field_validator("workers")
    @classmethod
    def not_negative(cls, workers: int | str | tuple[int, int]) -> int | str | tuple[int, int]:
        if isinstance(workers, int) and workers < 0:
            raise ValueError("expected auto, a number from 0, or [least, most]")
        if isinstance(workers, tuple) and not 1 <= workers[0] <= workers[1]:
            raise ValueError("expected [least, most] with 1 <= least <= most")
        return workers


class Tuning(Section):
    """A search for better settings by Ray Tune before the training: Optuna proposes, ASHA ends what is bad.

    It ends after `trials` or after `time`, whichever comes first. `space` overrides what is searched: a
    setting of `model` or `training` with `[low, high]`, `{low:, high:, log: true}` or `{choices: […]}`.
    """

    trials: int = Field(20, ge=1)
    time: Span | None = None
    concurrent: Annotated[int, Field(ge=1)] | Auto = "auto"
    space: dict[str, Dimension] = {}

    @field_validator("space")
    @classmethod
    def possible(cls, space: dict[str, Dimension]) -> dict[str, Dimension]:
        for name, dimension in space.items():
            if name not in SEARCHED:
                raise ValueError(f"{name}: cannot be searched; what can: {', '.join(SEARCHED)}")
            for value in dimension.ends:
                check_setting(name, value)
        return space


def check_setting(name: str, value: Any) -> None:
    """Raise ValueError, which names the setting, where a value that is to be tried is none."""
    section: type[Section] = Model if name in OF_MODEL else Training
    try:
        section.model_validate({name: value})
    except ValidationError as error:
        raise ValueError(f"{name}: {value}: {error.errors()[0]['msg']}") from error
    if name in WHOLE and (isinstance(value, str) or value != int(value)):
        raise ValueError(f"{name}: {value} is no whole number")


class Prices(Section):
    """What an hour costs, in `currency`; nothing is learnt from it, so it may change at any time."""

    cpu_hour: float = Field(0.0, ge=0)
    gpu_hour: float = Field(0.0, ge=0)
    currency: str = "EUR"


def is_network(kind: str) -> bool:
    """Whether torch runs this kind of model: one of ours, or the user's own."""
    return kind in NETWORKS or ":" in kind


def supports(kind: str, model: Model, training: Training) -> bool:
    """Whether a kind of model can learn with the loss that is asked for, and the quantiles."""
    losses = ESTIMATOR_LOSSES.get(kind)
    return losses is None or (training.loss in losses and not (kind == "linear" and model.quantiles))


def check_learning(task: Task, model: Model, training: Training) -> None:
    """Raise ValueError, which names the key, where the parts do not fit the task."""
    if model.quantiles and task != "regression":
        raise ValueError(f"model.quantiles: only a regression has quantiles, and the task is {task}")
    if training.class_weights and task == "regression":
        raise ValueError("training.class_weights: a regression has no classes")
    named = training.loss in {name for names in LOSSES.values() for name in names}
    if named and training.loss not in LOSSES[task]:
        raise ValueError(f"training.loss: {training.loss} is no loss of {task}: {', '.join(LOSSES[task])}")
    if not supports(model.kind, model, training):
        rest = "no quantiles, and these losses" if model.kind == "linear" else "these losses"
        raise ValueError(f"model.kind: {model.kind} has {rest}: {', '.join(ESTIMATOR_LOSSES[model.kind])}")


def check_stream(model: Model, training: Training, tuning: Tuning | None) -> None:
    """Raise ValueError, which names the key, where rows are to be streamed and cannot be."""
    if training.stream is not True:
        return
    if not is_network(model.kind):
        kinds = ", ".join(NETWORKS)
        raise ValueError(
            f"training.stream: rows are streamed into networks alone, and model is {model.kind};"
            f" expected {kinds} or module:function"
        )
    if tuning is not None:
        raise ValueError("training.stream: trials of a tuning share arrays; tune without it, then stream")
    if training.workers == 0:
        raise ValueError("training.stream: Ray Train's workers read the stream, and training.workers is 0")


def check_tuning(model: Model, tuning: Tuning | None) -> None:
    """Raise ValueError, which names the key, where the model has no such setting to be searched."""
    kind = "own" if model.own else model.kind
    for name in tuning.space if tuning and kind != "auto" else ():
        if kind not in SEARCHED[name]:
            known = ", ".join(n for n, kinds in SEARCHED.items() if kind in kinds)
            raise ValueError(f"tuning.space.{name}: {model.kind} has no such setting; it has {known}")
