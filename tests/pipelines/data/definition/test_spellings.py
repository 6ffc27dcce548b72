"""What is odd in how values are written is said, and nothing is changed that may be meant."""

import numpy as np
import pandas as pd
import pytest

from pipelines.config import Format
from pipelines.data.columns import as_number
from pipelines.data.definition.relations import Relation, find_relations
from pipelines.data.definition.spellings import (
    alike_labels,
    beyond_precision,
    date_order,
    likely_marks,
    may_be_number,
    without_marks,
)

RNG = np.random.default_rng(3)


@pytest.mark.parametrize(
    ("mark", "rest", "told"),
    [
        (999, RNG.integers(0, 90, 500), True),
        (-1, RNG.integers(0, 90, 500), True),
        (9999, RNG.normal(50, 10, 500), True),
        (99, RNG.integers(0, 120, 500), False),  # among the others
        (99, RNG.integers(0, 98, 500), False),  # next to them
        (-1, RNG.integers(-5, 5, 500), False),
        (-1, RNG.integers(0, 3, 500), False),  # a code
        (1234, RNG.integers(0, 90, 500), False),  # nobody's mark
    ],
)
def test_numbers_that_may_mark_missing_ones(mark: int, rest: np.ndarray, told: bool) -> None:
    values = pd.Series(np.concatenate([rest, [mark] * 10]), dtype=float)
    assert [f"age: {mark:g} stands in 10 rows" in words for words in likely_marks("age", values)] == [
        True
    ] * told


def test_a_single_far_value_is_no_mark() -> None:
    assert likely_marks("age", pd.Series([*range(100), 999], dtype=float)) == []


@pytest.mark.parametrize(
    ("dates", "day_first", "said"),
    [
        (["25/12/2016", "1/2/2016"], True, ""),
        (["12/25/2016", "1/2/2016"], False, ""),
        (
            ["1/2/2016", "3/4/2016"],
            False,
            "They are read as the month first",
        ),
        (["25/12/2016", "12/25/2016"], False, "the day in some rows and with the month in others"),
        (["1/1/2016", "2/2/2016"], False, ""),
        (["2016-02-01", "2016-03-04"], False, ""),
        (["1/2/3 pieces", "words"], False, ""),
    ],
)
def test_the_order_of_dates(dates: list[str], day_first: bool, said: str) -> None:
    first, words = date_order(pd.DataFrame({"day": dates * 5, "x": 1.0}))
    assert first == day_first
    assert bool(words) == bool(said)
    assert said in "".join(words)


@pytest.mark.parametrize(
    ("values", "told"),
    [([">50K", ">50K."], 1), (["Yes", "yes ", "no"], 1), (["a.b", "ab"], 0), (["a", "b"], 0)],
)
def test_labels_that_look_alike(values: list[str], told: int) -> None:
    assert len(alike_labels("income", pd.Series(values))) == told


def test_marks_are_taken_from_where_they_stand_alone() -> None:
    frame = pd.DataFrame(
        {"n": ["1", "-", "2"], "w": ["-", "a", "b"], "q": ["?", "a", "b"], "o": ["?", None, "?"]}
    )
    tidy, marks = without_marks(frame, Format())
    assert marks == ["-", "?"]
    assert tidy.isna().to_numpy().tolist() == [
        [False, False, True, False],
        [True, False, False, True],
        [False, False, False, False],
    ]


@pytest.mark.parametrize(
    ("text", "fmt", "number"),
    [
        ("1.5", {}, True),
        ("1.234,5", {"decimal": ",", "thousands": "."}, True),
        ("1 234", {"thousands": " "}, True),
        ("-2e5", {}, True),
        ("red", {}, False),
        ("3 pieces", {}, False),
    ],
)
def test_what_may_be_a_number(text: str, fmt: dict[str, str], number: bool) -> None:
    assert may_be_number(pd.Series([text] * 3), Format.model_validate(fmt)) == number


@pytest.mark.parametrize(
    ("text", "lost"),
    [("9007199254740993", True), ("12345678901234567890", True), ("1e30", False), ("17", False)],
)
def test_whole_numbers_beyond_a_float(text: str, lost: bool) -> None:
    read = as_number(pd.Series([text]))
    assert beyond_precision(pd.Series([text])[read.isna()], Format()) == lost


def test_relations_that_hold_in_every_row() -> None:
    start = pd.Series(pd.date_range("2025-01-01", periods=40, freq="h"))
    low = pd.Series(RNG.normal(size=40))
    times = {"start": start, "end": start + pd.to_timedelta(RNG.integers(0, 9, 40), unit="h"), "same": start}
    numbers = {"temp_min": low, "temp_max": low + 1, "minOther": low, "maxOther": low - 1, "x": low + 9}
    assert find_relations(times, numbers) == [
        Relation(low="start", high="end"),
        Relation(low="same", high="end"),
        Relation(low="temp_min", high="temp_max"),
    ]
    short = {name: values[:10] for name, values in times.items()}
    assert find_relations(short, {}) == []
