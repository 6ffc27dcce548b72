"""The linear model that a challenger is compared with, on features of any kind."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from pipelines.config import PipelineConfig
from pipelines.evaluation.baselines import LINEAR, predict_baselines
from pipelines.models.bundle import Bundle
from pipelines.models.features import feature_types, fit_features, transform
from pipelines.partition import Partition, hold
from pipelines.training.arrays import describe_model

RANDOM = np.random.default_rng(0)
FRAME = pd.DataFrame(
    {
        "x": RANDOM.normal(size=600),
        "kind": RANDOM.choice(np.array(["a", "b", "c"], dtype=object), 600),
        "y": np.where(RANDOM.random(600) < 0.4, "yes", "no").astype(object),
    }
)
MEMBER = np.repeat(np.array([0, 1, 2], dtype=np.int8), 200)


def baselines(columns: dict[str, str], frame: pd.DataFrame = FRAME) -> dict[str, pd.DataFrame]:
    given = {name: {"type": kind} for name, kind in columns.items()} | {"y": {"type": "category"}}
    plain = {"pipeline": "t", "task": "binary", "metric": "auc", "data": {"source": "x.csv", "target": "y"}}
    config = PipelineConfig.model_validate(plain | {"columns": given, "training": {"refit": False}})
    types = feature_types(config)
    step = fit_features(frame, types)
    bundle = Bundle(describe_model(config, frame["y"], step, transform(step, frame, types)), step, None)
    return predict_baselines(config, Partition(hold(frame), MEMBER), bundle)


@pytest.mark.parametrize(
    "columns",
    [{"x": "number"}, {"kind": "category"}, {"x": "number", "kind": "category"}],
    ids=["numbers", "categories", "both"],
)
def test_the_linear_model_reads_what_there_is(columns: dict[str, str]) -> None:
    found = baselines(columns)[LINEAR]
    assert list(found.columns) == ["prediction", "p_no", "p_yes"]
    assert found[["p_no", "p_yes"]].sum(axis=1).to_numpy() == pytest.approx(1.0)


def test_of_one_class_there_is_no_linear_model() -> None:
    rare = FRAME.assign(y=["no"] * 599 + ["yes"])
    assert list(baselines({"x": "number"}, rare)) == ["most frequent class"]
