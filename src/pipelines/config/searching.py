"""What a tuning may search, and the ranges that a definition gives for it."""

from __future__ import annotations

import math
from typing import Any

from pydantic import Field, model_serializer, model_validator

from pipelines.config.sections import Section

NETS = ("mlp", "tabm", "own")
# Settings of `model` and of `training` that may be searched, and for which kinds of model. What changes the
# loss itself is not among them: trials are compared by it.
OF_MODEL: dict[str, tuple[str, ...]] = {
    "width": NETS,
    "depth": NETS,
    "dropout": NETS,
    "members": ("tabm", "own"),
    "leaves": ("gradient_boosting",),
    "leaf_rows": ("gradient_boosting",),
    "shrinkage": ("gradient_boosting",),
    "penalty": ("linear", "gradient_boosting"),
}
OF_TRAINING: dict[str, tuple[str, ...]] = dict.fromkeys(
    ("learning_rate", "weight_decay", "batch_size", "schedule", "warmup", "clip"), NETS
)
SEARCHED = OF_MODEL | OF_TRAINING
WHOLE = {"width", "depth", "members", "leaves", "leaf_rows", "batch_size"}
# Where what counts is how many times larger: a range [low, high] of these is searched by its logarithm.
BY_RATIO = {
    "width",
    "leaves",
    "leaf_rows",
    "shrinkage",
    "penalty",
    "learning_rate",
    "weight_decay",
    "batch_size",
}


class Dimension(Section):
    """What is searched of one setting: from `low` to `high`, evenly or by the logarithm, or `choices`.

    In YAML `[low, high]` is short for `{low:, high:}`.
    """

    low: float = 0.0
    high: float = 0.0
    log: bool | None = None  # None: as suits the setting
    choices: list[Any] | None = Field(None, min_length=1)

    @model_validator(mode="before")
    @classmethod
    def from_short_form(cls, value: Any) -> Any:
        if isinstance(value, list) and len(value) == 2:
            return {"low": value[0], "high": value[1]}
        given = {k for k, v in value.items() if v is not None} if isinstance(value, dict) else set()
        if given - {"log"} not in ({"low", "high"}, {"choices"}):
            raise ValueError("expected [low, high], {low: …, high: …, log: true} or {choices: […]}")
        return {k: value[k] for k in given}

    @model_serializer
    def as_given(self) -> dict[str, Any]:
        ends = {"low": self.low, "high": self.high, "log": self.log}
        return ends if self.choices is None else {"choices": self.choices}

    @model_validator(mode="after")
    def in_order(self) -> Dimension:
        if self.choices is not None:
            if self.log is not None:
                raise ValueError("choices have no log")
        elif not (math.isfinite(self.low) and math.isfinite(self.high) and self.low < self.high):
            raise ValueError(f"expected low < high, found {self.low:g} and {self.high:g}")
        elif self.log and self.low <= 0:
            raise ValueError(f"a logarithm needs low > 0, found {self.low:g}")
        return self

    @property
    def ends(self) -> list[Any]:
        """Values that stand for all: what holds for them holds for those between."""
        return [self.low, self.high] if self.choices is None else self.choices


def by_ratio(name: str, dimension: Dimension) -> bool:
    """Whether the logarithm is searched evenly."""
    return dimension.log if dimension.log is not None else name in BY_RATIO and dimension.low > 0
