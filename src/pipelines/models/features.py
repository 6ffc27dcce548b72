"""The one definition of features: fitted on training rows, kept with the model, run again in serving."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pipelines.config import ColumnType, PipelineConfig
from pipelines.errors import DataError

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

RARE = 5  # rows; a category seen less often is learnt together with the other rare ones
MOST_CATEGORIES = 1000
DAYS_OF_YEAR = 365
LINEAR = 3**0.5  # a trend runs from -LINEAR to LINEAR over the training rows: mean 0, deviation 1


def feature_types(config: PipelineConfig) -> dict[str, ColumnType]:
    """The columns that a caller must send, with their types: features, and the timestamp if there is one."""
    names = config.feature_columns + ([config.data.timestamp] if config.data.timestamp else [])
    return {name: config.columns[name].type for name in names}


def add_calendar(frame: pd.DataFrame, types: dict[str, ColumnType]) -> pd.DataFrame:
    """A copy in which each time column has become hour, weekday, day of the year and day, as numbers."""
    import pandas as pd

    columns: dict[str, Any] = {}
    for name, kind in types.items():
        if kind == "time":
            times = pd.to_datetime(frame[name])
            columns[f"{name}.hour"] = times.dt.hour.astype(float)
            columns[f"{name}.weekday"] = times.dt.weekday.astype(float)
            columns[f"{name}.yearday"] = times.dt.dayofyear.astype(float)
            columns[f"{name}.day"] = (times - pd.Timestamp(1970, 1, 1)).dt.total_seconds() / 86400
        elif kind == "number":
            columns[name] = frame[name].astype(float)  # a column of None alone is no number to pandas
        else:
            columns[name] = frame[name]
    return pd.DataFrame(columns, index=frame.index)


def fit_features(
    frame: pd.DataFrame, types: dict[str, ColumnType], clock: str | None = None, trend: bool = False
) -> Any:
    """A transformer fitted on training rows: scaled numbers, then category codes from 0, -1 for unseen.

    `clock` is the time that rows are split by: how late a row is would tell its part, so it is no feature,
    unless `trend` adds the days that have passed, held at the last training row's where a row is newer.
    """
    from sklearn.compose import ColumnTransformer

    table = prepare(add_calendar(frame, types), types)
    times, day = [name for name, kind in types.items() if kind == "time"], f"{clock}.day"
    categories = [c for c in table if types.get(str(c)) == "category"]
    left_out = {day, *(f"{name}.yearday" for name in times if is_short(table[f"{name}.day"]))}
    numbers = [c for c in table if c not in categories and c not in left_out and tells(table[c])]
    if not (numbers or categories or trend):
        raise DataError(
            "No column differs between the rows to learn from.", "Add columns, or rows that differ."
        )
    steps = [
        ("numbers", scale_numbers(), numbers),
        ("trend", scale_trend(), [day] if trend else []),
        ("codes", encode(), categories),
    ]
    return ColumnTransformer([s for s in steps if s[2]], verbose_feature_names_out=False).fit(table)


def is_short(days: pd.Series) -> bool:
    """Whether the rows span less than a year: their day of the year is no season, only how late they are."""
    return not bool(days.max() - days.min() >= DAYS_OF_YEAR)


def tells(column: pd.Series) -> bool:
    """Whether a number differs between rows, if only by being there."""
    return bool(column.notna().any()) and column.nunique(dropna=False) > 1


def scale_numbers() -> Any:
    """Each number around its median; 0 where it is missing, and a column that says so."""
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import Pipeline

    from pipelines.models.scaling import SoftScaler

    fill = SimpleImputer(strategy="constant", fill_value=0.0, add_indicator=True)
    return Pipeline([("scale", SoftScaler()), ("fill", fill)])


def scale_trend() -> Any:
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import MinMaxScaler

    return Pipeline(
        [
            ("line", MinMaxScaler((-LINEAR, LINEAR), clip=True)),
            ("fill", SimpleImputer(strategy="constant", fill_value=LINEAR)),
        ]
    )


def encode() -> Any:
    """Categories as codes; those never seen, later, as -1."""
    from sklearn.preprocessing import OrdinalEncoder

    return OrdinalEncoder(
        handle_unknown="use_encoded_value",
        unknown_value=-1,
        min_frequency=RARE,
        max_categories=MOST_CATEGORIES,
    )


def prepare(table: pd.DataFrame, types: dict[str, ColumnType]) -> pd.DataFrame:
    """Missing categories as a value of their own: the encoder sees strings alone, even in an empty column."""
    ready = table.copy(deep=False)  # not `assign`: a column may be named like an argument of it
    for name in table:
        if types.get(str(name)) == "category":
            values = table[name]
            ready[name] = values.astype(object).where(values.notna(), "(missing)").astype(str)
    return ready


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
    encoder = features.named_transformers_.get("codes")
    if encoder is None:
        return []
    rare = encoder.infrequent_categories_
    sizes = [
        len(c) - (len(r) - 1 if r is not None else 0) for c, r in zip(encoder.categories_, rare, strict=True)
    ]
    return [size + 1 for size in sizes]
