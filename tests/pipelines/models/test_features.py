"""Features are learnt from training rows alone, and take whatever comes later."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from pipelines.config import ColumnType
from pipelines.models.features import RARE, cardinalities, feature_types, fit_features, transform

Trips = Callable[..., pd.DataFrame]
TYPES: dict[str, ColumnType] = {
    "at": "time",
    "zone": "category",
    "distance": "number",
    "passengers": "number",
}


@pytest.fixture(scope="module")
def rows(table: Trips) -> pd.DataFrame:
    return table(400)[list(TYPES)]


@pytest.fixture(scope="module")
def step(rows: pd.DataFrame) -> Any:
    return fit_features(rows, TYPES, "at")


def test_the_matrix_is_finite_and_its_codes_fit_the_embeddings(rows: pd.DataFrame, step: Any) -> None:
    matrix = transform(step, rows, TYPES)
    codes = cardinalities(step)
    assert (matrix.dtype, len(matrix)) == (np.float32, len(rows))
    assert np.isfinite(matrix).all()
    coded = matrix[:, -len(codes) :]
    assert (coded == coded.round()).all()
    assert (coded >= 0).all()
    assert (coded.max(axis=0) < codes).all()


def test_what_is_fitted_does_not_look_at_later_rows(rows: pd.DataFrame, step: Any) -> None:
    """A later row, however strange, is transformed alone as it is among others."""
    strange = rows.tail(20).assign(distance=1e9, zone="moon")
    together = transform(step, pd.concat([rows, strange]), TYPES)
    np.testing.assert_array_equal(transform(step, rows, TYPES), together[: len(rows)])
    np.testing.assert_array_equal(transform(step, strange, TYPES), together[len(rows) :])


def test_a_category_never_seen_is_code_0_and_a_known_one_is_not(rows: pd.DataFrame, step: Any) -> None:
    matrix = transform(step, rows.head(3).assign(zone=["moon", "south", None]), TYPES)
    code = matrix[:, -len(cardinalities(step))]  # zone is the first of the coded columns
    assert code[0] == 0
    assert code[1] > 0
    assert code[2] > 0  # missing was seen in training: a value of its own
    assert code[1] != code[2]


def test_rare_categories_are_learnt_together(table: Trips) -> None:
    rare = [f"r{i}" for i in range(8)]
    zones = ["a"] * 200 + ["b"] * 100 + [zone for zone in rare for _ in range(RARE - 1)]
    frame = table(len(zones))[["distance"]].assign(zone=zones)
    types: dict[str, ColumnType] = {"zone": "category", "distance": "number"}
    fitted = fit_features(frame, types)
    codes = transform(fitted, pd.DataFrame({"zone": ["a", "b", *rare], "distance": 1.0}), types)[:, -1]
    assert cardinalities(fitted) == [4]  # unseen, a, b, the rare ones
    assert len(set(codes[2:])) == 1
    assert len(set(codes)) == 3


@pytest.mark.parametrize("column", list(TYPES))
@pytest.mark.parametrize("empty", [None, np.nan])
def test_a_column_with_nothing_in_it_later(rows: pd.DataFrame, step: Any, column: str, empty: object) -> None:
    """Ten rows without a value answer as one of them does in the company of others."""
    bare = rows.head(10).assign(**{column: empty})
    company = rows.iloc[[*range(10), *range(380, 400)]]
    mixed = transform(step, company.assign(**{column: company[column].where(np.arange(30) >= 10)}), TYPES)[
        :10
    ]
    alone = transform(step, bare, TYPES)
    assert np.isfinite(alone).all()
    np.testing.assert_array_equal(alone, mixed)


def test_a_gap_where_training_had_none(table: Trips) -> None:
    frame, types = (
        table(300)[["passengers"]].assign(x=np.arange(300.0)),
        {"passengers": "number", "x": "number"},
    )
    fitted = fit_features(frame, types)  # type: ignore[arg-type]
    later = transform(fitted, frame.head(2).assign(passengers=[np.nan, 2.0], x=[1.0, np.nan]), types)  # type: ignore[arg-type]
    assert np.isfinite(later).all()


def test_a_column_empty_in_training_is_left_out(rows: pd.DataFrame) -> None:
    frame = rows.assign(distance=np.nan)
    fitted = fit_features(frame, TYPES, "at")
    with_values, without = transform(fitted, rows, TYPES), transform(fitted, frame, TYPES)
    np.testing.assert_array_equal(with_values, without)


def test_time_becomes_the_calendar(step: Any, rows: pd.DataFrame) -> None:
    """Only the time differs, so only its columns do; same hour, weekday and day of year are the same."""
    one = rows.head(1)

    def at(moment: str) -> np.ndarray:
        return transform(step, one.assign(at=pd.Timestamp(moment)), TYPES)

    assert not np.array_equal(at("2025-01-06 03:00"), at("2025-01-06 17:00"))
    assert not np.array_equal(at("2025-01-06 03:00"), at("2025-01-07 03:00"))
    np.testing.assert_array_equal(at("2025-01-06 03:00"), at("2025-01-06 03:40"))
    assert np.isfinite(transform(step, one.assign(at=pd.NaT), TYPES)).all()


def test_a_trend_goes_on_to_the_last_training_row_and_no_further(rows: pd.DataFrame) -> None:
    step = fit_features(rows, TYPES, "at", trend=True)
    assert (
        transform(step, rows, TYPES).shape[1]
        == transform(fit_features(rows, TYPES, "at"), rows, TYPES).shape[1] + 1
    )
    weeks = [-1, 0, 52, 104]
    later = rows.head(4).assign(at=[rows["at"].max() + pd.Timedelta(weeks=w) for w in weeks])
    trend = transform(step, later, TYPES)[:, -2]  # before the code of the zone
    assert trend[0] < trend[1] == trend[2] == trend[3]


def test_of_another_time_the_date_is_a_feature(table: Trips) -> None:
    """A birthday tells an age, whatever the rows are split by."""
    born = pd.Timestamp(1950, 1, 1) + pd.to_timedelta(np.arange(300) * 80, unit="D")
    frame = table(300)[["at"]].assign(born=born)
    types: dict[str, ColumnType] = {"at": "time", "born": "time"}
    matrix = transform(fit_features(frame, types, "at"), frame, types)
    correlations = [abs(np.corrcoef(column, np.arange(300))[0, 1]) for column in matrix.T if column.std()]
    assert max(correlations) > 0.95


def test_the_target_and_left_out_columns_are_no_features(define: Callable[..., Any]) -> None:
    assert feature_types(define()) == {
        "zone": "category",
        "distance": "number",
        "passengers": "number",
        "at": "time",
    }


def test_a_column_may_have_any_name(rows: pd.DataFrame) -> None:
    names = {"zone": "self", "distance": "frame", "passengers": "index"}
    types = {names.get(name, name): kind for name, kind in TYPES.items()}
    renamed = rows.rename(columns=names)
    step = fit_features(renamed, types, "at")
    before = transform(fit_features(rows, TYPES, "at"), rows, TYPES)
    np.testing.assert_array_equal(transform(step, renamed, types), before)


def test_the_frame_is_left_as_it_was(rows: pd.DataFrame, step: Any) -> None:
    before = rows.copy()
    transform(step, rows, TYPES)
    fit_features(rows, TYPES, "at")
    pd.testing.assert_frame_equal(rows, before)
