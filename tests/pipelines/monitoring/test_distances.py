"""Our distances are Evidently's: the thresholds that we calibrate mean what its scores mean."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.monitoring.distances import measure_distance, prepare_column
from pipelines.monitoring.drift import measure_drift
from pipelines.monitoring.reference import DriftTest


def test_scores_agree_with_evidently():
    chance = np.random.default_rng(0)

    def draw(rows, shift):
        gaps = chance.random((rows, 2)) < 0.2
        return pd.DataFrame(
            {
                "normal": chance.normal(shift, 2, rows),
                "skewed": np.where(gaps[:, 0], np.nan, chance.lognormal(shift / 2, 1, rows)),
                "constant": np.full(rows, 3.0),
                "few": chance.integers(0, 3, rows),
                "words": np.where(gaps[:, 1], None, chance.choice(list("abcdef"[shift:]), rows)),
                "codes": chance.integers(shift, 40, rows),
                "flags": chance.random(rows) < 0.3 + shift / 5,
                "ticks": 1.7e18 + chance.integers(0, 3, rows) * 256.0,
            }
        )

    reference, current = draw(700, 0), draw(300, 2)
    numbers = ["normal", "skewed", "constant", "few", "ticks"]
    tests = {
        name: DriftTest(
            method="wasserstein" if name in numbers else "jensenshannon",
            threshold=0.1,
            missing_threshold=0.1,
            missing_most=0.0,
        )
        for name in reference
    }
    scores = {
        c.column: c.score
        for c in measure_drift(current, reference, tests, None).columns
        if c.method in METHODS
    }
    assert scores.keys() == tests.keys()
    for name, test in tests.items():
        kind = METHODS[test.method]
        ours = measure_distance(
            test.method, prepare_column(reference[name], kind), prepare_column(current[name], kind)
        )
        assert ours == pytest.approx(scores[name], abs=1e-9), name


METHODS = {"wasserstein": "number", "jensenshannon": "category"}
SAMPLES = st.lists(st.integers(-50, 50), min_size=1, max_size=40)


@settings(max_examples=40, deadline=None)
@given(reference=SAMPLES, current=SAMPLES, method=st.sampled_from(sorted(METHODS)))
def test_a_distance_is_none_to_itself_and_positive_else(reference, current, method):
    left, right = (prepare_column(pd.Series(values), METHODS[method]) for values in (reference, current))
    assert measure_distance(method, left, left) == pytest.approx(0, abs=1e-9)
    assert measure_distance(method, left, right) >= 0


def test_a_shift_by_one_deviation_scores_one():
    values = pd.Series(np.random.default_rng(1).normal(0, 5, 2000))
    assert measure_distance("wasserstein", values, values + np.std(values)) == pytest.approx(1)


def test_codes_are_the_same_categories_with_and_without_a_gap():
    whole, gap = pd.Series([1, 2, 3]), pd.Series([1, 2, None])
    assert (
        prepare_column(gap, "category").tolist()[:2]
        == prepare_column(whole, "category").tolist()[:2]
        == ["1", "2"]
    )


def test_what_is_no_finite_number_is_missing():
    column = pd.Series([1, "2.5", "many", np.inf, None, True], dtype=object)
    assert prepare_column(column, "number").isna().tolist() == [False, False, True, True, True, False]
