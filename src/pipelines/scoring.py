"""Scoring rows with a model: one implementation for the prediction service and for files."""

from __future__ import annotations

import hashlib
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

from pipelines.clock import now
from pipelines.config import ColumnType, PipelineConfig
from pipelines.errors import DataError, EvergreenError, UsageError
from pipelines.home import Home
from pipelines.records import Record, ServedModel, Task

if TYPE_CHECKING:
    from numpy import datetime64
    from numpy.typing import NDArray
    from pandas import DataFrame

Channel = Literal["online", "batch"]
SUFFIXES = (".csv", ".parquet", ".pq")


class Scorer(Protocol):
    """What scoring needs of a model; `pipelines.models.bundle.Bundle` is one."""

    @property
    def task(self) -> Task: ...
    @property
    def features(self) -> list[str]: ...
    @property
    def timestamp(self) -> str | None: ...
    @property
    def column_types(self) -> dict[str, ColumnType]: ...
    @property
    def inputs(self) -> list[str]: ...
    def predict(self, frame: DataFrame) -> DataFrame: ...


class ScoreResult(Record):
    """What `score` answers: the file `output` has `rows` predictions of model `version`."""

    rows: int
    version: int
    output: str


def accepted_types(bundle: Scorer) -> dict[str, ColumnType]:
    """The columns that scoring takes, with types: the model's inputs, and the timestamp for a row's time."""
    types: dict[str, ColumnType] = {name: bundle.column_types.get(name, "category") for name in bundle.inputs}
    return types if bundle.timestamp is None else {**types, bundle.timestamp: "time"}


def score_frame(bundle: Scorer, frame: DataFrame, ids: list[str]) -> DataFrame:
    """The predictions of `frame`'s rows, in their order, with `ids` in front.

    Columns: prediction_id, prediction (a float, or the class as text), p_<class>, q_<quantile>.
    Raises EvergreenError naming the first row (from 1) for which the model gives no finite number.
    """
    import numpy as np
    import pandas as pd

    answers = bundle.predict(frame)
    kind = "float64" if bundle.task == "regression" else "object"
    beside = {name: answers[name].to_numpy("float64") for name in answers.columns if name != "prediction"}
    columns = {"prediction": answers["prediction"].to_numpy(kind), **beside}
    for values in columns.values():
        if values.dtype == "float64" and not np.isfinite(values).all():
            row = int(np.argmin(np.isfinite(values))) + 1
            raise EvergreenError(f"The model gives no finite number for row {row}.", "Look at its values.")
    return pd.DataFrame({"prediction_id": ids, **columns})


def row_times(bundle: Scorer, frame: DataFrame, scored: datetime) -> NDArray[datetime64]:
    """The time of each row, in microseconds: its timestamp where it has one, else `scored` (naive)."""
    import numpy as np

    moment = np.full(len(frame), scored, dtype="datetime64[us]")
    if bundle.timestamp is None or bundle.timestamp not in frame.columns:
        return moment
    times = frame[bundle.timestamp].to_numpy("datetime64[us]")
    return np.where(np.isnat(times), moment, times)


def log_rows(
    bundle: Scorer, frame: DataFrame, scores: DataFrame, version: int, channel: Channel, scored: datetime
) -> DataFrame:
    """The rows of the prediction log: the model's columns as seen in `frame`, and what was answered."""
    import numpy as np
    import pandas as pd

    rows = len(frame)
    columns: dict[str, Any] = {name: frame[name].to_numpy() for name in bundle.features}
    if bundle.timestamp is not None:  # also where no row has it, so that the log's columns do not vary
        sent = frame.get(bundle.timestamp, np.full(rows, None))
        columns[bundle.timestamp] = np.asarray(sent, dtype="datetime64[us]")
    columns["_id"] = scores["prediction_id"].to_numpy()
    columns["_time"] = row_times(bundle, frame, scored)
    columns["_version"] = np.full(rows, version)
    columns["_channel"] = np.full(rows, channel, dtype=object)
    columns["_scored_at"] = np.full(rows, scored, dtype="datetime64[us]")
    answers = {f"_{name}": scores[name].to_numpy() for name in scores.columns if name != "prediction_id"}
    return pd.DataFrame({**columns, **answers})


def score_file(
    home: Home, config: PipelineConfig, served: ServedModel, input: Path, output: Path
) -> ScoreResult:
    """Score a file with the served model: a prediction per row of `input`, in its order; all are logged.

    The same file scored again by the same version gets the same ids and is logged once. `output` appears when
    all is logged, or not at all. Raises DataError for an input that cannot be used, UsageError for an output.
    """
    from pipelines.data.predictions.prediction_log import append_predictions
    from pipelines.models.bundle import load_bundle

    check_output(input, output)
    bundle = load_bundle(Path(served.folder), served.files)
    frame = read_inputs(bundle, config, input)
    ids = file_row_ids(input, served.version, len(frame))
    scores = score_frame(bundle, frame, ids)
    draft = write_table(scores, output)
    try:
        append_predictions(
            home, served.pipeline, log_rows(bundle, frame, scores, served.version, "batch", now())
        )
        draft.replace(output)
    finally:
        draft.unlink(missing_ok=True)
    return ScoreResult(rows=len(scores), version=served.version, output=str(output))


def check_output(input: Path, output: Path) -> None:
    """Raise UsageError for an output that is no CSV or Parquet file, or that is the input itself."""
    if output.suffix.lower() not in SUFFIXES:
        raise UsageError(f"{output}: a name ends in {', '.join(SUFFIXES)}.", "Give such an --output.")
    if output.is_dir():
        raise UsageError(f"{output} is a directory.", "Give the path of a file as --output.")
    if output.absolute().resolve() == input.absolute().resolve():
        raise UsageError(f"{output} is the input itself.", "Give another --output.")


def read_inputs(bundle: Scorer, config: PipelineConfig, path: Path) -> DataFrame:
    """The columns of a file that the model takes, typed as it expects; the target is not needed.

    Raises DataError naming the columns that are missing, or a file without rows.
    """
    import pandas as pd

    from pipelines.data.columns import convert
    from pipelines.data.ingestion.schema import defined_names
    from pipelines.data.sources import read_table

    frame = read_table(path, config.data.format)
    frame = frame.rename(columns=defined_names(list(frame.columns), config))
    missing = [name for name in bundle.inputs if name not in frame.columns]
    if missing:
        found = ", ".join(map(str, frame.columns))
        raise DataError(
            f"{path}: missing {', '.join(map(repr, missing))}; it has {found}.",
            "Score a file with all columns that the model was trained on (the target is not needed).",
        )
    if frame.empty:
        raise DataError(f"{path}: has no rows.", "Give a file with at least one row to score.")
    types = {name: kind for name, kind in accepted_types(bundle).items() if name in frame.columns}
    return pd.DataFrame(
        {name: convert(frame[name], kind, config.data.format) for name, kind in types.items()}
    )


def file_row_ids(path: Path, version: int, rows: int) -> list[str]:
    """Stable ids of a file's rows: of its content, the model's version and the row number from 0."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()[:16]
    return [f"{digest}-v{version}-{number}" for number in range(rows)]


def write_table(scores: DataFrame, output: Path) -> Path:
    """Write `scores` beside `output`, as CSV or Parquet by its suffix, and return the draft to be renamed."""
    draft = output.with_name(f".{output.name}.draft")
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        if output.suffix.lower() == ".csv":
            scores.to_csv(draft, index=False)
        else:
            scores.to_parquet(draft, index=False)
    except OSError as error:
        raise UsageError(
            f"{output}: cannot be written: {error}.", "Give an --output that you may write."
        ) from error
    return draft
