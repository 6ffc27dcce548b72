"""What a model must be better than to be worth its keep: answers that need no model, or hardly one."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipelines.config import PipelineConfig
from pipelines.evaluation.answers import predict_test
from pipelines.partition import Partition

if TYPE_CHECKING:
    from datetime import datetime

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
    learnt = rows.column(config.data.target, "train")
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
    """For each test row the newest target that was known then, of its entity where rows have one.

    `first` where there is none, and for a row without an entity, which stands for itself. Known is what lies
    before it in time, and by the split's gap at least. Only for values: of a class, the most frequent one is
    the better guess.
    """
    import pandas as pd

    columns = [str(config.data.timestamp), config.data.target]
    columns += [config.data.entity] if config.data.entity else []
    asked = pd.concat([by_entity(piece, columns) for piece in rows.pieces("test", columns=columns)])
    index = asked.index
    asked = asked.drop(columns="value").assign(time=asked["time"] - config.split.gap, place=range(len(asked)))
    found = pd.merge_asof(
        asked.sort_values("time", kind="stable"),
        known_values(rows, columns, asked["time"].min()),
        on="time",
        by="entity",
        allow_exact_matches=bool(config.split.gap),
    )
    values = found.sort_values("place")["value"].fillna(first)
    return pd.DataFrame({"prediction": values.to_numpy("float64")}, index=index)


def known_values(rows: Partition, columns: list[str], start: datetime) -> pd.DataFrame:
    """All rows from `start` on by time, and before it of each piece the newest of each entity.

    Rows that the split's gap leaves out of every part are known, too.
    """
    import pandas as pd

    kept = []
    for piece in rows.read(columns):
        found = by_entity(piece.dropna(subset=columns[2:]), columns).sort_values("time", kind="stable")
        late = found["time"] >= start
        kept += [found[~late].drop_duplicates("entity", keep="last"), found[late]]
    return pd.concat(kept).sort_values("time", kind="stable")


def by_entity(rows: pd.DataFrame, columns: list[str]) -> pd.DataFrame:
    """Time, value and the entity as a number, all 0 where rows have none."""
    import pandas as pd

    time, target, *entity = columns
    number = pd.util.hash_pandas_object(rows[entity[0]], index=False) if entity else 0
    return pd.DataFrame({"time": rows[time], "value": rows[target], "entity": number})


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
