"""The built-in example's drift is what its table says: calm, shifted inputs, changed meaning."""

from __future__ import annotations

from datetime import timedelta
from functools import cache
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import wasserstein_distance
from sklearn.ensemble import HistGradientBoostingRegressor

from examples.rides import generate as rides
from pipelines.config import load_config

HALF_LIFE = 1.5  # days, as in pipeline.yaml
CALM = [11, 12, 14]
SHIFTED, METRO, METRO_NEXT = 13, 15, 16
NUMBERS = ["temperature", "rain", "wind", "price"]


@cache
def week(n: int) -> pd.DataFrame:
    return rides.generate(rides.START + timedelta(weeks=n - 1), 1, rides.SEED, rides.change_of(n))


def weeks(first: int, last: int) -> pd.DataFrame:
    return pd.concat([week(n) for n in range(first, last + 1)])


def inputs(rows: pd.DataFrame) -> pd.DataFrame:
    named = rows.astype({"zone": "category", "holiday": "category", "event_nearby": "category"})
    return named.drop(columns=["time", "rides"]).assign(hour=rows.time.dt.hour, day=rows.time.dt.dayofweek)


def fit(rows: pd.DataFrame) -> HistGradientBoostingRegressor:
    age = (rows.time.max() - rows.time) / pd.Timedelta(days=1)
    weight = 0.5 ** (age / HALF_LIFE)
    model = HistGradientBoostingRegressor(
        max_iter=200,
        learning_rate=0.08,
        min_samples_leaf=60,
        max_leaf_nodes=16,
        l2_regularization=3,
        random_state=7,
    )
    return model.fit(inputs(rows), rows.rides, sample_weight=weight / weight.mean())


def rmse(model: HistGradientBoostingRegressor, rows: pd.DataFrame) -> float:
    return float(np.sqrt(np.mean((model.predict(inputs(rows)) - rows.rides) ** 2)))


@pytest.fixture(scope="module")
def champion() -> HistGradientBoostingRegressor:
    return fit(weeks(1, rides.HISTORY))


@pytest.fixture(scope="module")
def calm(champion: HistGradientBoostingRegressor) -> float:
    return float(np.mean([rmse(champion, week(n)) for n in CALM]))


def test_same_seed_same_rows() -> None:
    again = rides.generate(rides.START, 1, rides.SEED)
    pd.testing.assert_frame_equal(again, week(1))
    assert not again.equals(rides.generate(rides.START, 1, rides.SEED + 1))
    assert len(again) == 12 * 168


def test_weeks_follow_each_other() -> None:
    for a, b in pairwise(range(1, 5)):
        assert week(b).time.min() - week(a).time.max() == pd.Timedelta(hours=1)


@pytest.mark.parametrize("n", [*CALM, METRO, METRO_NEXT])
def test_inputs_look_as_ever(n: int) -> None:
    history = weeks(1, rides.HISTORY)
    for column in NUMBERS:
        moved = wasserstein_distance(history[column], week(n)[column]) / history[column].std()
        assert moved < 0.1, column  # Evidently's default threshold


def test_inputs_shift() -> None:
    history, hot = weeks(1, rides.HISTORY), week(SHIFTED)
    for column, least in {"temperature": 1.5, "price": 1.0, "rain": 0.1, "wind": 0.1}.items():
        assert wasserstein_distance(history[column], hot[column]) / history[column].std() > least, column


def test_calm_weeks_are_predicted_alike(champion: HistGradientBoostingRegressor, calm: float) -> None:
    for n in CALM:
        assert rmse(champion, week(n)) == pytest.approx(calm, rel=0.1)
        assert 1 - rmse(champion, week(n)) ** 2 / week(n).rides.var() > 0.65


def test_shifted_inputs_mean_what_they_meant(champion: HistGradientBoostingRegressor, calm: float) -> None:
    assert rmse(champion, week(SHIFTED)) < 1.25 * calm


def test_metro_breaks_the_model(champion: HistGradientBoostingRegressor, calm: float) -> None:
    assert rmse(champion, week(METRO)) > 1.6 * calm


def test_learning_the_metro_week_brings_quality_back(calm: float) -> None:
    known = weeks(1, METRO)
    learnt = known[known.time <= known.time.max() - pd.Timedelta(days=2)]
    assert rmse(fit(learnt), week(METRO_NEXT)) < 1.15 * calm


def test_files(tmp_path: Path) -> None:
    labelled, unlabelled = rides.write_week(tmp_path, 3)
    assert labelled == tmp_path / "data" / "week-03.csv"
    rows, bare = pd.read_csv(labelled), pd.read_csv(unlabelled)
    assert "rides" not in bare.columns
    assert len(bare) == len(rows) == 2016
    assert (rows.temperature == 999).any()
    assert (rows.rain < 0).any()
    assert rows.rides.isna().any()
    assert pd.read_csv(rides.write_week(tmp_path, 11)[0]).rides.notna().all()


def test_definition_fits_the_rows() -> None:
    config = load_config(Path(rides.__file__).with_name("pipeline.yaml"))
    assert list(config.columns) == list(week(1).columns)
    assert config.training.half_life == timedelta(days=HALF_LIFE)
    for check in config.validation.checks:
        assert check.arguments["column"] in config.columns
