"""From which score on is a column different, when weeks always differ? Ask weeks that were calm.

A season makes any single week unlike the whole year: hours, weather and prices of one week fill a corner of
the year's range, and any fixed threshold low enough to see a change would alarm every winter. So the model's
own rows, on which it was found good, are cut in windows as long as those that will be monitored. Each is
scored against the rest, as a window in production will be against the reference, and what is a quarter
further away than the furthest of them has not been seen before. A column without seasons keeps the floor, and
with it a sharp eye.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from pipelines.monitoring.distances import Method, measure_distance

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    Rows = NDArray[np.int64]

FLOOR = 0.1  # Evidently's own default, for normed Wasserstein and Jensen-Shannon distances and for shares
CALM_FACTOR = 1.25
MOST_WINDOWS = 60  # enough to meet the extremes of a year; more only take time
FEWEST_WINDOWS = 5
FEWEST_ROWS = 30  # a smaller window shows chance, not the season
CHUNKS, CHUNK_ROWS = 10, 1000
MOST_ROWS = 5000
NOISE_DRAWS = 20
SEED = 7


def cut_windows(rows: int, time: pd.Series | None, window: timedelta) -> list[Rows]:
    """The positions of rows in each calm window: by `time` where there is one, else random chunks of all
    rows.

    A history of less than five windows is cut in five shorter ones: they differ more, so thresholds err to
    the calm side. At most 60 windows, evenly taken.
    """
    import numpy as np

    groups = [] if time is None else cut_by_time(time, window)
    if len(groups) < 2:
        order = np.random.default_rng(SEED).permutation(rows)
        groups = [chunk[:CHUNK_ROWS] for chunk in np.array_split(order, CHUNKS) if len(chunk)]
    taken = np.unique(np.linspace(0, len(groups) - 1, min(MOST_WINDOWS, len(groups))).astype(int))
    return [sample_rows(groups[index], MOST_ROWS) for index in taken]


def cut_by_time(time: pd.Series, window: timedelta) -> list[Rows]:
    """Windows along time that have at least 30 rows; rows without a time are in none."""
    import numpy as np

    clock = time.reset_index(drop=True).dropna()
    if clock.empty or clock.max() == clock.min():
        return []
    length = min(window, (clock.max() - clock.min()) / FEWEST_WINDOWS)
    number = ((clock - clock.min()) // length).to_numpy()
    groups = [clock.index.to_numpy()[number == one] for one in np.unique(number)]
    return [group for group in groups if len(group) >= FEWEST_ROWS]


def sample_rows(rows: Rows, most: int) -> Rows:
    """At most `most` of `rows`, the same ones each time, in their order."""
    import numpy as np

    if len(rows) <= most:
        return rows
    return np.sort(np.random.default_rng(SEED).choice(rows, most, replace=False))


def calibrate_distance(method: Method, column: pd.Series, windows: list[Rows], kept: Rows) -> float:
    """The score from which on `column` has drifted: the floor, or 1.25 times the furthest calm window."""
    import numpy as np

    scores = []
    for window in windows:
        rest = np.setdiff1d(kept, window)
        if len(rest) < FEWEST_ROWS:
            rest = np.setdiff1d(np.arange(len(column)), window)
        scores.append(measure_distance(method, column.iloc[rest], column.iloc[window]))
    return max(FLOOR, CALM_FACTOR * max(scores, default=0.0))


def calibrate_missing(column: pd.Series, windows: list[Rows]) -> tuple[float, float]:
    """The change of the missing share from which on a column has drifted, and the largest share when calm."""
    missing = column.isna().to_numpy()
    shares = [float(missing[window].mean()) for window in windows]
    change = max((abs(share - float(missing.mean())) for share in shares), default=0.0)
    return max(FLOOR, CALM_FACTOR * change), max(shares, default=0.0)


def measure_noise(method: Method, reference: pd.Series, rows: int) -> float:
    """The score that chance alone gives `rows` rows drawn from the reference itself, times 1.25.

    The calm windows may have been larger than the one to judge: fifty rows of the same world are further from
    it than five thousand. The largest of 20 seeded draws.
    """
    import numpy as np

    values = reference.dropna()
    if values.empty or rows == 0:
        return 0.0
    chance = np.random.default_rng(SEED)
    draws = (values.iloc[chance.integers(0, len(values), rows)] for _ in range(NOISE_DRAWS))
    return CALM_FACTOR * max(measure_distance(method, values, draw) for draw in draws)
