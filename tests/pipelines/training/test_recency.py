"""How the passing of time counts: what the definition says, else what helps."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from pipelines.partition import Partition, hold
from pipelines.training.folder import AttemptFolder
from pipelines.training.recency import recency_details, settle_recency

ROWS = 1_200  # an hour each: 40 days before the test part
QUARTER = timedelta(hours=239, minutes=45)


def changed(frame: pd.DataFrame) -> pd.DataFrame:
    """From the middle of the training part on, distance costs the opposite."""
    sign = np.where(np.arange(len(frame)) < 0.3 * len(frame), -1, 1)
    return frame.assign(y=sign * frame["y"])


def rising(frame: pd.DataFrame) -> pd.DataFrame:
    """Higher by the hour."""
    return frame.assign(y=frame["y"] + 0.05 * np.arange(len(frame)))


STABLE, CHANGED, RISING = (lambda frame: frame), changed, rising


@pytest.mark.parametrize(
    ("make", "training", "expected"),
    [
        (STABLE, {}, (False, None)),
        (CHANGED, {"trend": False}, (False, QUARTER)),
        (RISING, {"half_life": None}, (True, None)),
        (RISING, {"trend": False, "half_life": "3 days"}, (False, timedelta(days=3))),
    ],
)
def test_time_counts_as_it_helps_or_as_is_said(
    define: Any, table: Any, tmp_path: Path, make: Any, training: dict[str, Any], expected: Any
) -> None:
    parts = np.repeat(np.array([0, 1, 2], dtype=np.int8), [720, 240, 240])
    rows = Partition(hold(make(table(ROWS))), parts)
    found = settle_recency(define(training=training), rows, AttemptFolder(tmp_path / "attempt"))
    assert (found.training.trend, found.training.half_life) == expected
    days = expected[1] / timedelta(days=1) if expected[1] else 0.0
    assert recency_details(found) == {"trend": float(expected[0]), "half_life_days": days}
