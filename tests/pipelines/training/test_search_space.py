"""What a definition may ask to be searched, and how settings become a job."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from pipelines.config import Model, Training, Tuning
from pipelines.models.bundle import Description
from pipelines.training.job import FitJob
from pipelines.training.search_space import (
    DEFAULT_SPACES,
    distributions,
    own_settings,
    search_space,
    with_settings,
)


def job(kind: str, **training: Any) -> FitJob:
    description = Description(
        kind=kind, task="regression", target="y", timestamp=None, types={}, classes=[], bins=[[0.0]],
        cardinalities=[], model=Model(kind=kind),
    )  # fmt: skip
    return FitJob(
        name="job", root=Path("/nowhere"), arrays=Path("/nowhere"), place=Path("/nowhere"),
        description=description, metric="rmse", training=Training(epochs=9, batch_size=64, **training),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("space", "words"),
    [
        ({"lr": [1, 2]}, "lr: cannot be searched; what can: width,"),
        ({"loss": {"choices": ["huber"]}}, "loss: cannot be searched"),
        ({"width": [3, 64]}, "width: 3.0: Input should be greater than or equal to 4"),
        ({"width": [8.5, 64]}, "width: 8.5: Input should be a valid integer"),
        ({"width": 5}, "expected [low, high]"),
        ({"width": {"low": 8, "high": 16, "choices": [8]}}, "expected [low, high]"),
        ({"depth": [4, 2]}, "expected low < high, found 4 and 2"),
        ({"dropout": {"low": 0, "high": 0.5, "log": True}}, "a logarithm needs low > 0"),
        ({"schedule": {"choices": ["linear"]}}, "schedule: linear: Input should be 'cosine' or 'constant'"),
        ({"batch_size": {"choices": ["auto"]}}, "batch_size: auto is no whole number"),
    ],
)
def test_a_space_that_cannot_be_is_answered_with_its_key(space: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Tuning.model_validate({"space": space})
    [error] = caught.value.errors()
    assert words in error["msg"]
    assert next(iter(space)) in f"{error['loc']} {error['msg']}"


def test_a_setting_of_another_kind_of_model_is_answered(define: Any) -> None:
    with pytest.raises(
        ValidationError, match=r"tuning\.space\.leaves: mlp has no such setting; it has width"
    ):
        define(model={"kind": "mlp"}, tuning={"space": {"leaves": [4, 8]}})
    assert define(model={"kind": "auto"}, tuning={"space": {"leaves": [4, 8]}}).tuning is not None


def test_a_definition_survives_being_written_and_read(define: Any) -> None:
    space = {
        "width": [8, 64],
        "schedule": {"choices": ["cosine", "constant"]},
        "dropout": {"low": 0, "high": 0.2},
    }
    config = define(model={"kind": "mlp"}, tuning={"trials": 3, "time": "10 minutes", "space": space})
    assert type(config).model_validate(config.model_dump(mode="json")) == config


def test_the_definitions_ranges_lie_over_the_default_ones() -> None:
    tuning = Tuning.model_validate({"space": {"width": [8, 16], "members": [2, 4], "leaves": [4, 8]}})
    assert search_space("tabm", tuning).keys() == DEFAULT_SPACES["tabm"].keys() | {"members"}
    assert search_space("mlp", tuning)["width"].high == 16
    assert search_space("gradient_boosting", tuning)["leaves"].high == 8
    assert search_space("my.module:build", tuning).keys() == {
        "learning_rate",
        "weight_decay",
        "width",
        "members",
    }


@pytest.mark.parametrize("kind", DEFAULT_SPACES)
def test_the_first_trial_is_the_definitions_own_settings(kind: str) -> None:
    kind = "my.module:build" if kind == "own" else kind
    asked = job(kind)
    space = search_space(kind, Tuning())
    own = own_settings(asked, space)
    for name, distribution in distributions(space).items():
        assert distribution._contains(distribution.to_internal_repr(own[name]))
    same = with_settings(asked, own)
    assert same.training == asked.training
    assert same.description.model.model_dump(exclude={"penalty"}) == asked.description.model.model_dump(
        exclude={"penalty"}
    )


def test_settings_reach_model_and_training() -> None:
    changed = with_settings(job("mlp"), {"width": 24, "learning_rate": 0.5})
    assert (changed.description.model.width, changed.training.learning_rate) == (24, 0.5)
    assert changed.training.epochs == 9
