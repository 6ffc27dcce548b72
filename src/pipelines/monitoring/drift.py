"""How far a window is from the model's reference: Evidently's scores as a small record, its page as HTML."""

from __future__ import annotations

import math
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.monitoring.calibration import MOST_ROWS, SEED, measure_noise
from pipelines.monitoring.distances import KIND_OF, prepare_column
from pipelines.monitoring.reference import DriftTest
from pipelines.records import ColumnDrift, Drift

if TYPE_CHECKING:
    import pandas as pd

# A share of missing values this many standard errors off is no chance: one window in fifteen thousand.
STANDARD_ERRORS = 4


def measure_drift(
    current: pd.DataFrame, reference: pd.DataFrame, tests: dict[str, DriftTest], html: Path | None
) -> Drift:
    """The drift of each tested column of `current`; a column that is absent counts as missing everywhere.

    At most 5,000 seeded rows are compared. A column has its distance and, where values are missing, the
    change of their share (method `missing_share`); one gone silent has method `missing` and score 1.
    Evidently's page is written to `html` if there is anything to compare.
    """
    if len(current) == 0:
        return Drift(columns=[], rows=0)
    sample = current.sample(MOST_ROWS, random_state=SEED) if len(current) > MOST_ROWS else current
    now, then = prepare_frame(sample, tests), prepare_frame(reference, tests)
    compared = [name for name in tests if now[name].notna().any() and then[name].notna().any()]
    bounds = {name: bound_distance(tests[name], now[name], then[name]) for name in compared}
    scores = score_columns(now, then, bounds, html)
    found = [bounds[name].model_copy(update={"score": scores[name]}) for name in compared]
    missing = [measure_missing(name, test, now[name], then[name]) for name, test in tests.items()]
    report = str(html) if html and compared else None
    return Drift(columns=found + [one for one in missing if one], rows=len(current), report=report)


def prepare_frame(frame: pd.DataFrame, tests: dict[str, DriftTest]) -> pd.DataFrame:
    """The tested columns as floats or words, rows numbered anew."""
    import pandas as pd

    rows = frame.reset_index(drop=True)
    nothing = pd.Series(None, index=rows.index, dtype=object)
    columns = {
        name: prepare_column(rows.get(name, nothing), KIND_OF[test.method]) for name, test in tests.items()
    }
    return pd.DataFrame(columns, index=rows.index)


def bound_distance(test: DriftTest, now: pd.Series, then: pd.Series) -> ColumnDrift:
    """The test of one column for a window of this many rows, still without its score."""
    noise = measure_noise(test.method, then, int(now.notna().sum()))
    return ColumnDrift(
        column=str(now.name), method=test.method, score=0.0, threshold=max(test.threshold, noise)
    )


def score_columns(
    now: pd.DataFrame, then: pd.DataFrame, bounds: dict[str, ColumnDrift], html: Path | None
) -> dict[str, float]:
    """Evidently's score of each column in `bounds`; its page goes to `html`."""
    if not bounds:
        return {}
    from evidently import Dataset, Report
    from evidently.metrics import ValueDrift

    metrics = [ValueDrift(column=b.column, method=b.method, threshold=b.threshold) for b in bounds.values()]
    definition = define_columns(bounds)
    pair = [shift_to_zero(frame[list(bounds)], then) for frame in (now, then)]
    data = [Dataset.from_pandas(frame, data_definition=definition) for frame in pair]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # numpy's, over the correlation of a constant column
        snapshot = Report(metrics).run(*data)  # current first
    if html:
        html.parent.mkdir(parents=True, exist_ok=True)
        snapshot.save_html(str(html))
    found: list[dict[str, Any]] = snapshot.dict()["metrics"]
    return {entry["config"]["column"]: float(entry["value"]) for entry in found}


def define_columns(bounds: dict[str, ColumnDrift]) -> Any:
    """Evidently's definition with every list given, or it guesses: codes would become numbers."""
    from evidently import DataDefinition

    numbers = [name for name, bound in bounds.items() if bound.method == "wasserstein"]
    return DataDefinition(
        numerical_columns=numbers,
        categorical_columns=[name for name in bounds if name not in numbers],
        text_columns=[],
        datetime_columns=[],
        unknown_columns=[],
        list_columns=[],
    )


def shift_to_zero(frame: pd.DataFrame, then: pd.DataFrame) -> pd.DataFrame:
    """`frame` with huge, close numbers (ids, ticks) taken relative to the reference's median.

    Evidently's histograms fail where floats cannot tell ten bins apart; the distance does not change by a
    shift.
    """
    import numpy as np

    numbers = then.select_dtypes("float64")
    spread = np.maximum(numbers.max() - numbers.min(), 1.0)
    close = numbers.columns[(numbers.abs().max() * 1e-12) > spread]
    shifted = frame.copy(deep=False)
    for name in close.intersection(frame.columns):
        shifted[name] = frame[name] - then[name].median()
    return shifted


def measure_missing(name: str, test: DriftTest, now: pd.Series, then: pd.Series) -> ColumnDrift | None:
    """The change of a column's share of missing values; None where none is missing, then and now."""
    share, usual, rows = float(now.isna().mean()), float(then.isna().mean()), len(now)
    if share == 1.0 and usual < 1.0:
        # With few rows, a column that is nearly always missing may be so by chance.
        bound = 1.0 if usual**rows > 0.001 else min(test.missing_most, 1.0)
        return ColumnDrift(column=name, method="missing", score=1.0, threshold=bound)
    if share == usual == 0.0:
        return None
    chance = STANDARD_ERRORS * math.sqrt(usual * (1 - usual) / rows)
    threshold = max(test.missing_threshold, chance)
    return ColumnDrift(column=name, method="missing_share", score=abs(share - usual), threshold=threshold)
