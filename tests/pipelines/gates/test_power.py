"""What a test set can show, from its standard error."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest, norm

from pipelines.gates.power import bound, chance, fewest_rows, mcnemar, rows_needed
from tests.pipelines.gates.cases import difference


@given(st.floats(0.00001, 0.99999))
def test_bounds_between_and_beyond_the_stored_levels_are_those_of_a_normal_estimate(level: float) -> None:
    assert bound(difference(2.0, 3.0), level) == pytest.approx(2 + 3 * norm.ppf(level), abs=1e-6)


def test_the_chance_of_a_pass() -> None:
    assert chance(0.0, 1.0, 0.05) == pytest.approx(0.05)  # no effect: the level
    assert chance(norm.ppf(0.95), 1.0, 0.05) == pytest.approx(0.5)
    assert chance(norm.ppf(0.95) + norm.ppf(0.8), 1.0, 0.05) == pytest.approx(0.8)
    assert (chance(0.1, 0.0, 0.05), chance(0.0, 0.0, 0.05)) == (1.0, 0.0)


@given(st.integers(10, 10**6), st.floats(0.001, 10), st.floats(0.001, 10), st.floats(0.001, 0.2))
def test_with_the_rows_that_are_needed_the_chance_is_80_percent(
    rows: int, effect: float, error: float, level: float
) -> None:
    needed = rows_needed(rows, effect, error, level)
    assert needed is not None
    assert chance(effect, error * (rows / needed) ** 0.5, level) >= 0.8 - 1e-9
    if needed > 1:
        assert chance(effect, error * (rows / (needed - 1)) ** 0.5, level) <= 0.8 + 1e-9


def test_no_effect_needs_more_rows_than_there_are() -> None:
    assert rows_needed(100, 0.0, 1.0, 0.05) is None


@pytest.mark.parametrize(("level", "fewest"), [(0.05, 5), (0.01, 7), (0.025, 6)])
def test_fewer_rows_show_nothing_even_if_all_agree(level: float, fewest: int) -> None:
    assert fewest_rows(level) == fewest
    assert mcnemar(fewest, 0) <= level < mcnemar(fewest - 1, 0)


@pytest.mark.parametrize(
    ("wins", "losses"), [(0, 0), (5, 0), (12, 3), (3, 12), (600, 540), (9, 10), (40_000, 39_500)]
)
def test_mcnemar_is_the_exact_binomial_test(wins: int, losses: int) -> None:
    known = binomtest(wins, wins + losses, alternative="greater").pvalue if wins + losses else 1.0
    assert mcnemar(wins, losses) == pytest.approx(known, rel=1e-6)
