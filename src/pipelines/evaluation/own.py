"""What a user brings to a judgment: metrics of their own, and what a prediction is worth in money."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from pipelines.config import VALUE, PipelineConfig
from pipelines.errors import ConfigError
from pipelines.evaluation.comparing import Compared, compare
from pipelines.evaluation.regression import plain
from pipelines.evaluation.resampling import Resamples, Statistic
from pipelines.models.code import find_beside
from pipelines.models.custom import run_own
from pipelines.partition import Partition

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

ROWS = 5_000  # that a function of which nothing is known is asked about
DRAWS = 400  # of them: the standard error is then known to 4 %
PER_ROWS = 1_000  # predictions that a value is stated for


def references(config: PipelineConfig) -> dict[str, str]:
    """The functions that the definition names, by key."""
    named = {f"evaluation.metrics.{i}": code for i, code in enumerate(config.evaluation.metrics)}
    value = config.evaluation.value
    return named | ({"evaluation.value": value} if isinstance(value, str) else {})


def compare_own(
    config: PipelineConfig,
    rows: Partition,
    kept: NDArray[np.bool_],
    answers: Mapping[str, pd.DataFrame],
    resamples: Resamples,
) -> Iterator[Compared]:
    """The value and then the user's own metrics, of the `kept` test rows (n,), which `answers` belong to.

    Raises ConfigError, which names the key, where a function raises or does not give what it should.
    """
    import pandas as pd

    if not answers:
        return
    if config.evaluation.value is not None:
        yield compare(VALUE, {m: value_of(config, rows, kept, a) for m, a in answers.items()}, resamples)
    if not config.evaluation.metrics:
        return
    chosen = choose_rows(kept)
    tables = {
        m: pd.concat(answered(rows, chosen, a[chosen[kept]]), ignore_index=True) for m, a in answers.items()
    }
    for i, reference in enumerate(config.evaluation.metrics):
        yield compare_function(config, f"evaluation.metrics.{i}", reference, tables)


def choose_rows(kept: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """At most ROWS of the kept rows, by a seeded draw."""
    import numpy as np

    places = np.flatnonzero(kept)
    chosen = np.random.default_rng(0).choice(places, min(ROWS, len(places)), replace=False)
    mask = np.zeros(len(kept), dtype=np.bool_)
    mask[chosen] = True
    return mask


def answered(rows: Partition, kept: NDArray[np.bool_], answers: pd.DataFrame) -> Iterator[pd.DataFrame]:
    """The kept test rows with the answers to them, piece by piece."""
    start, done = 0, 0
    for piece in rows.pieces("test"):
        mask = kept[start : start + len(piece)]
        theirs = answers.iloc[done : done + int(mask.sum())]
        start, done = start + len(piece), done + len(theirs)
        yield piece[mask].assign(**{str(name): theirs[name].to_numpy() for name in theirs})


def find_gates(config: PipelineConfig) -> dict[str, Callable[[dict[str, Any]], object]]:
    """The user's own gates by their reference. Each raises ConfigError where the user's function raises.

    Raises ConfigError, too, where a gate, metric or value is not there.
    """
    for key, reference in references(config).items():
        find_beside(config.folder, key, reference)
    found: dict[str, Callable[[dict[str, Any]], object]] = {}
    for i, reference in enumerate(config.gates.own):
        key = f"gates.own.{i}"
        function = find_beside(config.folder, key, reference)
        found[reference] = partial(run_own, key, reference, function)
    return found


# ------------------------------------------------------------------------------------------------ metrics


def compare_function(
    config: PipelineConfig, key: str, reference: str, tables: Mapping[str, pd.DataFrame]
) -> Compared:
    """A metric of which nothing is known, by the plain bootstrap of the same rows for each model.

    A resample may lack what the function needs, such as a rare class: it counts as one without a value. Of a
    model for which most resamples are such nothing is known.
    """
    import numpy as np

    function, rows = find_beside(config.folder, key, reference), len(next(iter(tables.values())))
    random = np.random.default_rng(0)

    def measure(table: pd.DataFrame) -> float:
        return number(key, reference, run_own(key, reference, function, table))

    def resampled(table: pd.DataFrame, picked: NDArray[np.int64]) -> float:
        try:
            value = measure(table.iloc[picked].reset_index(drop=True))
        except ConfigError:
            return math.nan
        return value if math.isfinite(value) else math.nan

    found = {model: measure(table.copy()) for model, table in tables.items()}  # it may change what it gets
    draws = {model: np.full(DRAWS, math.nan) for model, value in found.items() if math.isfinite(value)}
    for draw in range(DRAWS):
        picked = random.integers(0, rows, rows)
        for model, drawn in draws.items():
            drawn[draw] = resampled(tables[model], picked)
    known = {model: drawn for model, drawn in draws.items() if 2 * np.isfinite(drawn).sum() > DRAWS}
    return Compared(reference.partition(":")[2], rows, {m: found[m] for m in known}, known, {})


def number(key: str, reference: str, found: Any) -> float:
    try:
        return float(found)
    except (TypeError, ValueError, OverflowError) as error:
        raise ConfigError(
            f"{key}: {reference} gave {type(found).__name__}, not a number.", "Return a float."
        ) from error


# ------------------------------------------------------------------------------------------------ value


def value_of(
    config: PipelineConfig, rows: Partition, kept: NDArray[np.bool_], answers: pd.DataFrame
) -> Statistic:
    """Money per 1,000 rows, by the definition's costs or function."""
    import numpy as np

    value = config.evaluation.value
    if isinstance(value, str):
        function = find_beside(config.folder, "evaluation.value", value)
        pieces = answered(rows, kept, answers)
        return plain(PER_ROWS * np.concatenate([money(config, value, function, piece) for piece in pieces]))
    target = rows.column(config.data.target, "test")
    return plain(PER_ROWS * look_up(value or {}, target[kept], answers["prediction"]))


def look_up(
    costs: Mapping[str, Mapping[str, float]], truth: pd.Series, said: pd.Series
) -> NDArray[np.float64]:
    """The money of each row (n,). Raises ConfigError where that of a pair of classes is not stated."""
    import numpy as np
    import pandas as pd

    pairs = pd.MultiIndex.from_arrays([truth.astype(str), said.astype(str)])
    stated = {(true, given): amount for true, row in costs.items() for given, amount in row.items()}
    found = np.asarray(pd.Series(stated).reindex(pairs), dtype=np.float64)
    if lacking := sorted(set(pairs.unique()) - set(stated)):
        true, given = lacking[0]
        raise ConfigError(
            f"evaluation.value: nothing is stated for a row of class {true!r} that is called {given!r}.",
            "State the money of each true class with each predicted one, 0 where it is none.",
        )
    return found


def money(
    config: PipelineConfig, reference: str, function: Callable[..., Any], table: pd.DataFrame
) -> NDArray[np.float64]:
    """What a user's function says each row is worth (n,). Raises ConfigError unless it is a number a row."""
    import numpy as np

    key = "evaluation.value"
    given = run_own(key, reference, function, table)
    try:
        found = np.asarray(given, dtype="float64")
    except (TypeError, ValueError, OverflowError) as error:
        raise ConfigError(
            f"{key}: {reference} gave {type(given).__name__}, not a number for each row: {error}.",
            "Return a finite amount of money for each row.",
        ) from error
    if found.shape != (len(table),) or not np.isfinite(found).all():
        raise ConfigError(
            f"{key}: {reference} gave numbers of shape {found.shape} for {len(table)} rows,"
            f" {int((~np.isfinite(found)).sum())} of them not finite.",
            "Return a finite amount of money for each row.",
        )
    return found
