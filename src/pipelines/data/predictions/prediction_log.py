"""What was predicted, when, by which version, and the truth that came later: two tables joined by id."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from pipelines.clock import now
from pipelines.data.columns import as_number, as_text
from pipelines.data.storage.tables import ask, dataset_of, open_table, write_rows
from pipelines.errors import DataError
from pipelines.home import Home
from pipelines.records import Record

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

# One row an id, however often a batch was scored at once by two writers; of its labels the last.
SCORED = "SELECT * FROM predictions QUALIFY row_number() OVER (PARTITION BY _id ORDER BY _scored_at) = 1"
TRUTH = "SELECT _id, arg_max(_label, _recorded_at) AS _label FROM labels GROUP BY _id"


class LabelResult(Record):
    """Of the ids given: with a prediction, without one (the label is kept), with another label before."""

    matched: int
    unmatched: int
    corrected: int


# ------------------------------------------------------------------------------------------------ writing


def append_predictions(home: Home, pipeline: str, frame: pd.DataFrame) -> None:
    """Log scored rows; those of the batch channel whose `_id` is there already are not logged again.

    `frame` has the features, `_id`, `_time`, `_version`, `_channel`, `_scored_at`, `_prediction`, `_p_…`,
    `_q_…`. Several processes may write at once.
    """
    path = home.pipeline(pipeline).predictions
    table = open_table(path)
    if table is not None:
        frame = drop_logged(frame, table)
    if len(frame):
        write_rows(path, to_arrow(frame, {} if table is None else stored_types(table)))


def drop_logged(frame: pd.DataFrame, table: Any) -> pd.DataFrame:
    batch = frame["_channel"] == "batch"
    if not batch.any():
        return frame
    logged = ask(
        "SELECT DISTINCT _id FROM predictions SEMI JOIN given USING (_id) WHERE _channel = 'batch'",
        predictions=table,
        given=frame.loc[batch, ["_id"]].astype(object),
    )
    return frame[~(batch & frame["_id"].isin(set(logged["_id"])))]


def stored_types(table: Any) -> dict[str, Any]:
    return {field.name: field.type for field in dataset_of(table).schema}


def to_arrow(frame: pd.DataFrame, stored: dict[str, Any]) -> Any:
    """The frame as Arrow, each column in the type that it is stored in already, or that its dtype means."""
    import pyarrow as pa

    types = {name: stored.get(name) or arrow_type(name, frame[name]) for name in map(str, frame.columns)}
    columns = [fit(frame[name], kind) for name, kind in zip(frame.columns, types.values(), strict=True)]
    arrays = [
        pa.Array.from_pandas(column, type=kind) for column, kind in zip(columns, types.values(), strict=True)
    ]
    return pa.table(arrays, schema=pa.schema(list(types.items())))


def arrow_type(name: str, values: pd.Series[Any]) -> Any:
    import pandas as pd
    import pyarrow as pa

    if name == "_version":
        return pa.int64()
    if pd.api.types.is_datetime64_any_dtype(values.dtype):
        return pa.timestamp("us")
    number = pd.api.types.is_numeric_dtype(values.dtype) and not pd.api.types.is_bool_dtype(values.dtype)
    return pa.float64() if number else pa.string()


def fit(values: pd.Series[Any], kind: Any) -> pd.Series[Any]:
    """Values ready to be stored as `kind`; of a feature that changed its type, what the old one can hold."""
    import pyarrow as pa

    if pa.types.is_string(kind):
        return as_text(values)
    return as_number(values) if pa.types.is_floating(kind) else values


def append_labels(home: Home, pipeline: str, frame: pd.DataFrame) -> LabelResult:
    """Record the truth `_label` of predictions `_id`; a later one counts, the same changes nothing.

    Raises DataError when a column is not there.
    """
    absent = [name for name in ("_id", "_label") if name not in frame.columns]
    if absent:
        raise DataError(
            f"Labels without a column {', '.join(absent)}; found: {', '.join(map(str, frame.columns))}."
        )
    folder = home.pipeline(pipeline)
    given = label_text(frame, is_numeric(folder.predictions, frame))
    earlier = known_labels(folder.labels, given).reindex(given["_id"]).to_numpy()
    there = count_known(folder.predictions, given)
    other = earlier != given["_label"].to_numpy()
    fresh = given[other]
    if len(fresh):
        write_rows(folder.labels, to_arrow(fresh.assign(_recorded_at=now()), {}))
    corrected = sum(isinstance(old, str) for old in earlier[other])
    return LabelResult(matched=there, unmatched=len(given) - there, corrected=corrected)


def is_numeric(predictions: Path, frame: pd.DataFrame) -> bool:
    """Whether labels are numbers: as the predictions are, else as given."""
    import pandas as pd
    import pyarrow as pa

    table = open_table(predictions)
    if table is None:
        return bool(pd.api.types.is_float_dtype(frame["_label"].dtype))
    return bool(pa.types.is_floating(stored_types(table)["_prediction"]))


def label_text(frame: pd.DataFrame, numeric: bool) -> pd.DataFrame:
    """`_id` and `_label` as text, one row an id (the last one given), rows without either left out.

    Numbers are spelled in one way, so that 5 and 5.0 are the same label.
    """
    labels = as_number(frame["_label"]).map(repr, na_action="ignore") if numeric else as_text(frame["_label"])
    given = frame[["_id"]].assign(_id=as_text(frame["_id"]), _label=labels)
    return given.dropna().drop_duplicates("_id", keep="last").reset_index(drop=True)


def known_labels(labels: Path, given: pd.DataFrame) -> pd.Series[Any]:
    import pandas as pd

    table = open_table(labels)
    if table is None:
        return pd.Series(dtype=object)
    found = ask(f"SELECT * FROM ({TRUTH}) SEMI JOIN given USING (_id)", labels=table, given=given[["_id"]])  # noqa: S608
    return found.set_index("_id")["_label"]


def count_known(predictions: Path, given: pd.DataFrame) -> int:
    table = open_table(predictions)
    if table is None:
        return 0
    sql = "SELECT count(DISTINCT _id) AS n FROM predictions SEMI JOIN given USING (_id)"
    return int(ask(sql, predictions=table, given=given[["_id"]])["n"][0])


# ------------------------------------------------------------------------------------------------ reading


def read_window(home: Home, pipeline: str, start: datetime, end: datetime) -> pd.DataFrame:
    """Predictions with start <= `_time` < end in time order, with the latest `_label`, or none, beside."""
    import pandas as pd

    tables = log_tables(home, pipeline)
    if tables is None:
        return pd.DataFrame()
    numeric = is_numeric(home.pipeline(pipeline).predictions, pd.DataFrame())
    label = "TRY_CAST(t._label AS DOUBLE)" if numeric else "t._label"
    window = f"SELECT * FROM ({SCORED}) WHERE _time >= ? AND _time < ?"  # noqa: S608
    joined = f"({window}) p LEFT JOIN ({TRUTH}) t USING (_id)"
    sql = f"SELECT p.*, {label} AS _label FROM {joined} ORDER BY _time, _id"  # noqa: S608
    return ask(sql, [start, end], **tables)


def window_counts(
    home: Home, pipeline: str, seconds: float, origin: datetime
) -> list[tuple[datetime, int, int]]:
    """(start, rows, labelled rows) of each window with predictions, in order, aligned to `origin`."""
    tables = log_tables(home, pipeline)
    if tables is None:
        return []
    sql = f"""
        SELECT CAST(floor((epoch_us(_time) - ?) / ?) AS BIGINT) AS k, count(*) AS n, count(_label) AS labelled
        FROM ({SCORED}) LEFT JOIN ({TRUTH}) USING (_id) WHERE _time IS NOT NULL GROUP BY k ORDER BY k"""  # noqa: S608
    counts = ask(sql, [(origin - datetime(1970, 1, 1)) // timedelta(microseconds=1), seconds * 1e6], **tables)
    width = timedelta(seconds=seconds)
    return [(origin + int(k) * width, int(n), int(m)) for k, n, m in counts.itertuples(index=False)]


def log_tables(home: Home, pipeline: str) -> dict[str, Any] | None:
    """The two tables; None before the first prediction, and no labels before the first label."""
    import pyarrow as pa

    folder = home.pipeline(pipeline)
    predictions, labels = open_table(folder.predictions), open_table(folder.labels)
    if predictions is None:
        return None
    types = [("_id", pa.string()), ("_label", pa.string()), ("_recorded_at", pa.timestamp("us"))]
    return {"predictions": predictions, "labels": labels or pa.schema(types).empty_table()}


def compact(home: Home, pipeline: str) -> None:
    """Join the many small files of the logs into few; the small ones go a week later (Delta's default)."""
    folder = home.pipeline(pipeline)
    for path in (folder.predictions, folder.labels):
        table = open_table(path)
        if table is not None:
            table.optimize.compact()
            table.vacuum(dry_run=False)
