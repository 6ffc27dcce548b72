"""What one logged prediction rests on."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.data.tracing import find_prediction
from pipelines.errors import DataError, UsageError
from pipelines.home import Home
from pipelines.ledger import Ledger
from pipelines.records import Record
from pipelines.training.folder import AttemptFolder

if TYPE_CHECKING:
    import pandas as pd

    from pipelines.models.bundle import Bundle

PERMUTATIONS = 10  # of the columns: one is enough for many rows, for a single one their mean is steadier


class Contribution(Record):
    """What a column, with the value that it had, adds to the answer."""

    column: str
    value: str | float | None
    contribution: float


class Explanation(Record):
    """An answer as a sum: `base`, the mean answer to other rows, and the contributions, the largest first.

    output: what is explained: the target's name, or p_<class> of the second of two classes, or of several
    classes of the one that was said. The unit is the answer's own.
    """

    pipeline: str
    prediction: str
    version: int
    output: str
    answer: float
    base: float
    contributions: list[Contribution]


def explain_prediction(home: Home, pipeline: str, prediction: str) -> Explanation:
    """Shapley values of a logged prediction, by the version that gave it.

    What stands for "not known" are the golden rows that were kept when that version was judged. Raises
    UsageError where nothing was logged under the id, ModelUnusable where the version's files are not those
    recorded, DataError where its golden rows are gone.
    """
    from pipelines.evaluation.importance import outputs, shapley
    from pipelines.models.bundle import load_bundle

    logged = find_prediction(home, pipeline, prediction)
    if logged is None:
        raise UsageError(
            f"No prediction {prediction!r} of {pipeline} was logged.",
            "Ids are in the answers of the prediction service and of `evergreen score`.",
        )
    version = int(logged["_version"])
    trained = Ledger.open(home).trained(pipeline, version)
    bundle = load_bundle(Path(trained.folder), trained.files)
    row = as_row(bundle, logged)
    background = read_golden(AttemptFolder.of_model(trained).golden / "rows.parquet")
    values, base = shapley(bundle, row, background, PERMUTATIONS)
    answers = bundle.predict(row)
    name, place = explained(bundle, answers)
    found = [
        Contribution(column=column, value=plain(logged.get(column)), contribution=float(values[0, i, place]))
        for i, column in enumerate(bundle.inputs)
    ]
    return Explanation(
        pipeline=pipeline,
        prediction=prediction,
        version=version,
        output=name,
        answer=float(outputs(answers)[0, place]),
        base=float(base[place]),
        contributions=sorted(found, key=lambda one: -abs(one.contribution)),
    )


def as_row(bundle: Bundle, logged: dict[str, Any]) -> pd.DataFrame:
    """The logged features in the types that the model was given."""
    import pandas as pd

    columns: dict[str, Any] = {}
    for name, kind in bundle.column_types.items():
        values = [logged.get(name)]
        if kind == "number":
            columns[name] = pd.to_numeric(pd.Series(values, dtype=object)).astype("float64")
        elif kind == "time":
            columns[name] = pd.to_datetime(pd.Series(values, dtype=object)).astype("datetime64[us]")
        else:
            columns[name] = pd.Series(values, dtype=object)
    return pd.DataFrame(columns)


def read_golden(file: Path) -> pd.DataFrame:
    import pandas as pd

    if not file.exists():
        raise DataError(
            f"{file} is gone: there are no rows to compare with.",
            "Evaluate the version again: train on the same data and definition.",
        )
    return pd.read_parquet(file)


def explained(bundle: Bundle, answers: pd.DataFrame) -> tuple[str, int]:
    """Which output is explained: its name, and its place among those that Shapley values are made of."""
    classes = bundle.description.classes
    if not classes:
        return bundle.description.target, 0
    if len(classes) == 2:
        return f"p_{classes[1]}", 0
    said = str(answers["prediction"].iloc[0])
    return f"p_{said}", classes.index(said)


def plain(value: Any) -> str | float | None:
    """As JSON has it."""
    if value is None or isinstance(value, str):
        return value
    return float(value) if isinstance(value, int | float) else str(value)
