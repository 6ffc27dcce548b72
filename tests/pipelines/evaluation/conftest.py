"""A model by hand, for what asks a model many questions: nothing is trained."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from pipelines.errors import DataError
from pipelines.evaluation.sampling import Sample

COEFFICIENTS = {"x": 3.0, "z": -1.0, "idle": 0.0}


@dataclass(frozen=True)
class HandMade:
    """3 x - z, and 5 more where `kind` is b; of two classes, that as a logit. A gap counts as 0."""

    task: str = "regression"
    column_types = dict.fromkeys(COEFFICIENTS, "number") | {"kind": "category"}
    inputs = list(column_types)
    features = inputs
    timestamp = None

    @property
    def description(self) -> Any:
        classes = [] if self.task == "regression" else ["no", "yes"]
        return SimpleNamespace(classes=classes, target="y", cardinalities=[])

    def predict(self, frame: pd.DataFrame) -> pd.DataFrame:
        if frame["z"].isna().all():
            raise DataError("no z at all", "Bring one.")
        numbers = frame[list(COEFFICIENTS)].astype("float64").fillna(0).to_numpy()
        value = numbers @ np.array(list(COEFFICIENTS.values())) + 5.0 * (frame["kind"] == "b").to_numpy()
        if self.task == "regression":
            return pd.DataFrame({"prediction": value}, index=frame.index)
        yes = 1 / (1 + np.exp(-np.clip(value, -50, 50)))
        said = np.where(yes > 0.5, "yes", "no").astype(object)
        return pd.DataFrame({"prediction": said, "p_no": 1 - yes, "p_yes": yes}, index=frame.index)


def draw(task: str = "regression", rows: int = 600, seed: int = 0) -> Sample:
    """Rows, what is true, and the hand-made model's answers: true up to noise."""
    random, model = np.random.default_rng(seed), HandMade(task)
    frame = pd.DataFrame({name: random.normal(size=rows) for name in COEFFICIENTS})
    frame["kind"] = random.choice(np.array(["a", "b"], dtype=object), rows)
    answers = model.predict(frame)
    if task == "regression":
        target = answers["prediction"] + random.normal(0, 1, rows)
    else:
        target = pd.Series(np.where(random.random(rows) < answers["p_yes"], "yes", "no").astype(object))
    return Sample(frame.assign(y=target), target.rename("y"), answers, np.arange(rows))


@pytest.fixture(scope="session")
def hand_made() -> type[HandMade]:
    return HandMade


@pytest.fixture(scope="session")
def draw_rows() -> Callable[..., Sample]:
    return draw
