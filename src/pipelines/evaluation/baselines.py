"""What a model must be better than to be worth its keep: answers that need no model, or hardly one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pipelines.config import PipelineConfig

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    from pipelines.models.bundle import Bundle

LEARNT = 20_000  # rows that the linear model learns from
STEPS = 200
MOST_CODES = 64  # values of a category that have a column of their own


def trivial(config: PipelineConfig, learnt: pd.Series, test: pd.Series) -> tuple[str, pd.DataFrame]:
    """The training mean, or the share of each class, from the targets of both parts."""
    import pandas as pd

    if config.task == "regression":
        return "training mean", pd.DataFrame({"prediction": float(learnt.mean())}, index=test.index)
    shares = learnt.value_counts(normalize=True).sort_index()
    columns = {"prediction": shares.idxmax()} | {f"p_{name}": share for name, share in shares.items()}
    return "most frequent class", pd.DataFrame(columns, index=test.index)


def last_value(rows: pd.DataFrame, target: str, timestamp: str, entity: str | None) -> NDArray[np.float64]:
    """For each of all rows the target of the one before it in time, of the same entity where there is one.

    `rows` have target, timestamp and entity; what came first has the mean. Only for values over time: of a
    class, the most frequent one is the better guess.
    """
    import numpy as np

    order = np.argsort(rows[timestamp].to_numpy(), kind="stable")
    ordered = rows.iloc[order]
    before = (ordered.groupby(entity)[target] if entity else ordered[target]).shift(1)
    found = np.empty(len(rows))
    found[order] = before.fillna(rows[target].mean()).to_numpy("float64")
    return found


def linear(bundle: Bundle, rows: pd.DataFrame, target: pd.Series, test: pd.DataFrame) -> pd.DataFrame:
    """A linear model on the bundle's own features, learnt from at most LEARNT of the rows, the last ones."""
    import pandas as pd
    from sklearn.linear_model import LogisticRegression, Ridge
    from sklearn.pipeline import make_pipeline

    x, y = bundle.transform(rows.iloc[-LEARNT:]), target.iloc[-LEARNT:]
    plain = LogisticRegression(max_iter=STEPS) if bundle.description.classes else Ridge()
    model = make_pipeline(as_columns(bundle, x), plain).fit(x, y)
    answers = bundle.transform(test)
    columns = {"prediction": model.predict(answers)}
    if bundle.description.classes:
        names = [f"p_{name}" for name in model.classes_]
        columns |= dict(zip(names, model.predict_proba(answers).T, strict=True))
    return pd.DataFrame(columns, index=test.index)


def as_columns(bundle: Bundle, x: NDArray[np.float32]) -> Any:
    """Numbers standardised, and a column for each of the most frequent codes; other shapes are flattened."""
    from sklearn.compose import ColumnTransformer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler

    if x.ndim > 2:
        return make_pipeline(FunctionTransformer(flatten), StandardScaler())
    numbers = x.shape[1] - len(bundle.description.cardinalities)
    few = OneHotEncoder(max_categories=MOST_CODES, handle_unknown="infrequent_if_exist")
    return ColumnTransformer(
        [("numbers", StandardScaler(), slice(0, numbers)), ("codes", few, slice(numbers, x.shape[1]))]
    )


def flatten(x: NDArray[np.float32]) -> NDArray[np.float32]:
    return x.reshape(len(x), -1)
