"""What a model must be better than to be worth its keep: answers that need no model, or hardly one."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipelines.config import PipelineConfig
from pipelines.evaluation.answers import predict_test
from pipelines.partition import Partition

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    from pipelines.models.bundle import Bundle

LINEAR = "linear model"
LEARNT = 20_000  # rows that the linear model learns from
STEPS = 200
MOST_CODES = 64  # values of a category that have a column of their own


def predict_baselines(config: PipelineConfig, rows: Partition, bundle: Bundle) -> dict[str, pd.DataFrame]:
    """Answers to all test rows by name: trivial, the last value where rows have an order, a linear model."""
    learnt = rows.table("train", columns=[config.data.target])[config.data.target]
    name, answers = trivial(config, learnt, rows.count("test"))
    found = {name: answers}
    if config.task == "regression" and config.split.by == "time":
        found["last value"] = last_value(config, rows, float(learnt.mean()))
    linear = fit_linear(config, bundle, rows)
    return found | ({LINEAR: predict_test(linear, rows)} if linear else {})


def trivial(config: PipelineConfig, learnt: pd.Series, count: int) -> tuple[str, pd.DataFrame]:
    """The mean of the targets learnt from, or the share of each class, so many times."""
    import pandas as pd

    if config.task == "regression":
        return "training mean", pd.DataFrame({"prediction": float(learnt.mean())}, index=range(count))
    shares = learnt.value_counts(normalize=True).sort_index()
    columns = {"prediction": shares.idxmax()} | {f"p_{name}": share for name, share in shares.items()}
    return "most frequent class", pd.DataFrame(columns, index=range(count))


def last_value(config: PipelineConfig, rows: Partition, first: float) -> pd.DataFrame:
    """For each test row the newest target that was known then, of its entity where there is one.

    `first` where there is none. Known is what lies before it in time, and by the split's gap at least. Only
    for values: of a class, the most frequent one is the better guess.
    """
    import numpy as np
    import pandas as pd

    time, target, entity = str(config.data.timestamp), config.data.target, config.data.entity
    columns = [time, target, *([entity] if entity else [])]
    known = rows.table("train", "validation", "test", columns=columns).sort_values(time, kind="stable")
    test = rows.table("test", columns=columns)
    asked = test.drop(columns=target).assign(_place=np.arange(len(test)))
    asked[time] = asked[time] - config.split.gap
    found = pd.merge_asof(
        asked.sort_values(time, kind="stable"),
        known,
        on=time,
        by=entity,
        allow_exact_matches=bool(config.split.gap),
    )
    values = found.sort_values("_place")[target].fillna(first)
    return pd.DataFrame({"prediction": values.to_numpy("float64")}, index=test.index)


@dataclass(frozen=True)
class Linear:
    """A linear model on a bundle's own features."""

    bundle: Bundle
    model: Any

    def predict(self, frame: pd.DataFrame) -> pd.DataFrame:
        import pandas as pd

        answers = self.bundle.transform(frame)
        columns = {"prediction": self.model.predict(answers)}
        if self.bundle.description.classes:
            names = [f"p_{name}" for name in self.model.classes_]
            columns |= dict(zip(names, self.model.predict_proba(answers).T, strict=True))
        return pd.DataFrame(columns, index=frame.index)


def fit_linear(config: PipelineConfig, bundle: Bundle, rows: Partition) -> Linear | None:
    """Learnt from at most LEARNT rows of what the model itself learns from; None where all are of a class."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression, Ridge
    from sklearn.pipeline import make_pipeline

    parts = ("train", "validation") if config.training.refit else ("train",)
    learnt = rows.sample(*parts, rows=LEARNT)
    if bundle.description.classes and learnt[config.data.target].nunique() < 2:
        return None
    x = bundle.transform(learnt)
    plain = LogisticRegression(max_iter=STEPS) if bundle.description.classes else Ridge()
    model = make_pipeline(as_columns(bundle, x), plain)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # near the optimum is good enough
        return Linear(bundle, model.fit(x, learnt[config.data.target]))


def as_columns(bundle: Bundle, x: NDArray[np.float32]) -> Any:
    """Numbers standardised, and a column for each of the most frequent codes; other shapes are flattened."""
    from sklearn.compose import ColumnTransformer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler

    if x.ndim > 2:
        return make_pipeline(FunctionTransformer(flatten), StandardScaler())
    numbers = x.shape[1] - len(bundle.description.cardinalities)
    few = OneHotEncoder(max_categories=MOST_CODES, handle_unknown="infrequent_if_exist")
    # Lists, since of a slice without columns scikit-learn makes an error, and of such a list nothing.
    columns = list(range(x.shape[1]))
    return ColumnTransformer(
        [("numbers", StandardScaler(), columns[:numbers]), ("codes", few, columns[numbers:])]
    )


def flatten(x: NDArray[np.float32]) -> NDArray[np.float32]:
    return x.reshape(len(x), -1)
