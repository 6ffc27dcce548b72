"""What a model answers where the input is a little off, has gaps, or is beyond all that was learnt."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from pipelines.errors import EvergreenError
from pipelines.records import Probe

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    from pipelines.models.bundle import Bundle

ROWS = 500
MOST_COLUMNS = 100  # that are changed one by one, the first ones
NOISE = 0.01  # of each number's standard deviation
FAR = 1_000.0  # times the largest number that was seen


def probe(bundle: Bundle, rows: pd.DataFrame) -> list[Probe]:
    """Answers to changed rows against those to the rows as they are, on at most ROWS of them.

    `change` is the mean absolute difference of the answers, in standard deviations of them for a value, as a
    probability for classes.
    """
    import numpy as np

    from pipelines.evaluation.importance import outputs

    chosen = np.random.default_rng(0).permutation(len(rows))[:ROWS]
    rows = rows.iloc[np.sort(chosen)]
    plain = outputs(bundle.predict(rows))
    unit = 1.0 if bundle.task != "regression" else float(plain.std()) or 1.0
    return [
        measure(bundle, name, column, changed, plain, unit) for name, column, changed in changes(bundle, rows)
    ]


def changes(bundle: Bundle, rows: pd.DataFrame) -> Iterator[tuple[str, str | None, pd.DataFrame]]:
    """What is tried: its name, the one column it is about, and the rows."""
    numbers = [name for name, kind in bundle.column_types.items() if kind == "number"]
    yield "noise", None, with_noise(rows, numbers)
    for name in bundle.features[:MOST_COLUMNS]:
        yield "missing", name, replaced(rows, {name: None})
    yield "all missing", None, replaced(rows, dict.fromkeys(bundle.features))
    for name in numbers[:MOST_COLUMNS]:
        far = FAR * max(1.0, float(rows[name].abs().max(skipna=True)))
        yield "far above", name, replaced(rows, {name: far})
        yield "far below", name, replaced(rows, {name: -far})


def with_noise(rows: pd.DataFrame, numbers: list[str]) -> pd.DataFrame:
    import numpy as np

    random, changed = np.random.default_rng(0), rows.copy()
    for name in numbers:
        values = rows[name].astype("float64")
        spread = float(np.nan_to_num(values.std()))  # of a column of gaps there is none
        changed[name] = values + random.normal(0.0, NOISE * spread, len(values))
    return changed


def replaced(rows: pd.DataFrame, values: dict[str, float | None]) -> pd.DataFrame:
    """The rows with other values in some columns; None is a gap, in the column's own type."""
    import pandas as pd

    changed = rows.copy()
    for name, value in values.items():
        if value is None:
            changed[name] = pd.Series(None, index=rows.index, dtype=nullable(rows[name]))
        else:
            changed[name] = float(value)
    return changed


def nullable(column: pd.Series) -> Any:
    """The column's type where it knows gaps, else the nearest that does."""
    kind = column.dtype
    return {"i": "float64", "u": "float64", "b": "object"}.get(getattr(kind, "kind", "O"), kind)


def measure(
    bundle: Bundle, name: str, column: str | None, rows: pd.DataFrame, plain: NDArray[np.float64], unit: float
) -> Probe:
    import numpy as np

    from pipelines.evaluation.importance import outputs

    try:
        answers = outputs(bundle.predict(rows))
    except EvergreenError as error:
        return Probe(name=name, column=column, rows=len(rows), failure=str(error))
    if not np.isfinite(answers).all():
        bad = int((~np.isfinite(answers)).any(axis=1).sum())
        return Probe(name=name, column=column, rows=len(rows), failure=f"{bad} answers are no numbers")
    change = float(np.abs(answers - plain).mean()) / unit
    return Probe(name=name, column=column, rows=len(rows), change=change)
