"""The one definition of features: fitted on training rows, kept with the model, run again in serving."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pipelines.config import ColumnType, PipelineConfig

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

# A number with this few values (an hour, a season) is also learnt value by value.
FEW_VALUES = 32
RARE = 5  # rows; a category seen less often is learnt together with the other rare ones
MOST_CATEGORIES = 250


def feature_types(config: PipelineConfig) -> dict[str, ColumnType]:
    """The columns that a caller must send, with their types: features, and the timestamp if there is one."""
    names = config.feature_columns + ([config.data.timestamp] if config.data.timestamp else [])
    return {name: config.columns[name].type for name in names}


def add_calendar(frame: pd.DataFrame, types: dict[str, ColumnType]) -> pd.DataFrame:
    """A copy in which each time column has become hour, weekday and day of the year, as numbers."""
    import pandas as pd

    columns: dict[str, Any] = {}
    for name, kind in types.items():
        if kind == "time":
            times = pd.to_datetime(frame[name])
            columns[f"{name}.hour"] = times.dt.hour.astype(float)
            columns[f"{name}.weekday"] = times.dt.weekday.astype(float)
            columns[f"{name}.yearday"] = times.dt.dayofyear.astype(float)
        elif kind == "number":
            columns[name] = frame[name].astype(float)  # a column of None alone is no number to pandas
        else:
            columns[name] = frame[name]
    return pd.DataFrame(columns, index=frame.index)


def fit_features(frame: pd.DataFrame, types: dict[str, ColumnType]) -> Any:
    """A transformer fitted on training rows: scaled numbers, then category codes from 0, 0 for unseen."""
    from sklearn.compose import ColumnTransformer
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import OrdinalEncoder, QuantileTransformer

    table = add_calendar(frame, types)
    numbers = [c for c in table if types.get(str(c), "number") == "number" and table[c].notna().any()]
    coded = [c for c in table if types.get(str(c)) == "category"] + [
        c for c in numbers if table[c].nunique() <= FEW_VALUES
    ]
    scale = Pipeline(
        [
            (
                "normal",
                QuantileTransformer(
                    output_distribution="normal", n_quantiles=min(1000, len(table)), random_state=0
                ),
            ),
            ("fill", SimpleImputer(strategy="constant", fill_value=0.0, add_indicator=True)),
        ]
    )
    encode = OrdinalEncoder(
        handle_unknown="use_encoded_value",
        unknown_value=-1,
        min_frequency=RARE,
        max_categories=MOST_CATEGORIES,
    )
    steps = [("numbers", scale, numbers), ("codes", encode, coded)]
    return ColumnTransformer([s for s in steps if s[2]], verbose_feature_names_out=False).fit(
        prepare(table, types)
    )


def prepare(table: pd.DataFrame, types: dict[str, ColumnType]) -> pd.DataFrame:
    """Missing categories as a value of their own: the encoder sees strings alone, even in an empty column."""
    texts = [c for c in table if types.get(str(c)) == "category"]
    return table.assign(
        **{str(c): table[c].astype(object).where(table[c].notna(), "(missing)").astype(str) for c in texts}
    )


def transform(features: Any, frame: pd.DataFrame, types: dict[str, ColumnType]) -> NDArray[np.float32]:
    """The matrix that a model reads: float32, a row a row; category codes shifted so that 0 is unseen."""
    import numpy as np

    matrix: NDArray[np.float32] = np.asarray(
        features.transform(prepare(add_calendar(frame, types), types)), dtype=np.float32
    )
    codes = len(cardinalities(features))
    if codes:
        matrix[:, -codes:] = np.nan_to_num(matrix[:, -codes:], nan=-1.0) + 1
    return matrix


def cardinalities(features: Any) -> list[int]:
    """How many codes each of the last columns has, 0 for unseen included."""
    import numpy as np

    encoder = features.named_transformers_.get("codes")
    if encoder is None:
        return []
    rare = encoder.infrequent_categories_
    sizes = [
        len(c) - (len(r) - 1 if r is not None else 0) for c, r in zip(encoder.categories_, rare, strict=True)
    ]
    return [int(np.int64(size)) + 1 for size in sizes]
