"""No row is in two parts, no moment is cut in two, and a row stays where it was."""

from __future__ import annotations

import itertools
import re
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.config import PipelineConfig
from pipelines.errors import DataError
from pipelines.partition import hold, partition_rows
from pipelines.splitting import PARTS, tell_uneven


def defined(by: str = "time", task: str = "regression", **split: Any) -> PipelineConfig:
    kind = "number" if task == "regression" else "category"
    return PipelineConfig.model_validate(
        {
            "pipeline": "p",
            "task": task,
            "metric": "mae" if task == "regression" else "accuracy",
            "data": {"source": "t.csv", "target": "y", "timestamp": "at", "entity": "who"},
            "columns": {
                "at": {"type": "time"},
                "who": {"type": "category"},
                "x": {"type": "number"},
                "y": {"type": kind},
            },
            "split": {"by": by, **split},
        }
    )


def rows(days: list[int], seed: int = 0) -> pd.DataFrame:
    """A row a day given, in the order given."""
    rng = np.random.default_rng(seed)
    at = pd.Timestamp("2025-01-01") + pd.to_timedelta(days, unit="D")
    who = pd.Series([f"p{day % 50}" for day in days], dtype=object)
    return pd.DataFrame(
        {"at": at, "who": who, "x": rng.normal(size=len(days)), "y": rng.normal(size=len(days))}
    )


def split_rows(frame: pd.DataFrame, config: PipelineConfig) -> list[pd.DataFrame]:
    """The rows of each part."""
    partition = partition_rows(hold(frame), config)
    return [partition.table(part) for part in PARTS]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 40), min_size=60, max_size=200))
def test_time_never_runs_backwards_from_part_to_part(days: list[int]) -> None:
    frame = rows(days)
    try:
        parts = split_rows(frame, defined())
    except DataError:  # a few moments hold nearly all rows
        return
    assert sorted(i for part in parts for i in part.index) == list(range(len(frame)))
    train, validation, test = parts
    assert train["at"].max() < validation["at"].min()
    assert validation["at"].max() < test["at"].min()


def test_shares_are_those_asked_for() -> None:
    parts = split_rows(rows(list(range(1000))), defined(validation=0.1, test=0.3))
    assert [len(part) for part in parts] == [600, 100, 300]


def test_the_order_of_rows_does_not_matter_to_time() -> None:
    frame = rows(list(range(100)))
    shuffled = frame.sample(frac=1, random_state=3)
    first, second = split_rows(frame, defined()), split_rows(shuffled, defined())
    assert set(first[-1].index) == set(second[-1].index)


@settings(max_examples=30, deadline=None)
@given(st.integers(120, 300), st.integers(1, 200), st.integers(0, 1000))
def test_at_random_a_row_keeps_its_part_when_the_table_grows(size: int, more: int, seed: int) -> None:
    small, config = rows(list(range(size)), seed), defined("random")
    grown = pd.concat(
        [rows(list(range(500, 500 + more)), seed + 1), small.set_axis(range(1000, 1000 + size))]
    )
    before, after = split_rows(small, config), split_rows(grown, config)
    for old, new in zip(before, after, strict=True):
        assert {i + 1000 for i in old.index} <= set(new.index)


def test_at_random_equal_rows_are_in_one_part() -> None:
    twice = pd.concat([rows(list(range(200)))] * 2, ignore_index=True)
    for part in split_rows(twice, defined("random")):
        assert {i % 200 for i in part.index if i < 200} == {i % 200 for i in part.index if i >= 200}


def test_at_random_shares_are_near_those_asked_for() -> None:
    parts = split_rows(rows(list(range(5000))), defined("random"))
    assert [len(part) / 5000 for part in parts] == pytest.approx([0.6, 0.2, 0.2], abs=0.02)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.integers(0, 60), min_size=150, max_size=300), st.integers(1, 100), st.sampled_from(["a", 7.0])
)
def test_by_group_no_entity_is_on_both_sides_and_each_stays(
    people: list[int], more: int, kind: object
) -> None:
    spell = float if isinstance(kind, float) else str
    frame = rows(list(range(len(people)))).assign(who=[spell(p) for p in people])
    grown = pd.concat([frame, frame.sample(more, replace=True, random_state=1).assign(x=0.5)])
    try:
        before, after = split_rows(frame, defined("group")), split_rows(grown, defined("group"))
    except DataError:  # few entities may all fall into one part
        return
    for old, new in itertools.combinations(after, 2):
        assert not set(old["who"]) & set(new["who"])
    for old, new in zip(before, after, strict=True):
        assert set(old["who"]) <= set(new["who"])


@pytest.mark.parametrize(
    ("by", "sizes", "words"),
    [
        ("group", {"train": 600, "validation": 101, "test": 299}, None),
        (
            "group",
            {"train": 299, "validation": 500, "test": 201},
            "train 299 (60% asked for), .* one 'who' stay",
        ),
        (
            "time",
            {"train": 700, "validation": 250, "test": 50},
            "test 50 (20% asked for). Rows of one 'at'",
        ),
        ("random", {"train": 950, "validation": 25, "test": 25}, "Equal rows stay in one part"),
    ],
)
def test_parts_far_from_their_shares_are_told(by: str, sizes: dict[str, int], words: str | None) -> None:
    told = tell_uneven(sizes, defined(by))
    assert (
        told is None if words is None else re.search(words.replace("(", r"\(").replace(")", r"\)"), str(told))
    )


def test_by_group_a_row_of_nobody_stands_for_itself() -> None:
    frame = rows(list(range(900))).assign(who=None)
    parts = split_rows(frame, defined("group"))
    assert [len(part) / 900 for part in parts] == pytest.approx([0.6, 0.2, 0.2], abs=0.05)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 60), min_size=100, max_size=200), st.integers(1, 6))
def test_the_gap_before_a_part_is_empty(days: list[int], gap: int) -> None:
    frame = rows(days)
    try:
        parts = split_rows(frame, defined(gap=f"{gap} days"))
        without = split_rows(frame, defined())
    except DataError:
        return
    assert list(parts[-1].index) == list(without[-1].index)
    for before, after in itertools.combinations(parts, 2):
        assert after["at"].min() - before["at"].max() >= pd.Timedelta(days=gap)
    gone = set(frame.index).difference(*(part.index for part in parts))
    starts = [part["at"].min() for part in without[1:]]
    near = [(frame["at"] < s) & (frame["at"] > s - pd.Timedelta(days=gap)) for s in starts]
    assert gone == set(frame.index[near[0] | near[1]])


def test_at_random_each_class_is_spread_as_all_rows_are() -> None:
    classes = np.where(np.arange(5000) % 20 == 0, "rare", "common").astype(object)
    parts = split_rows(rows(list(range(5000))).assign(y=classes), defined("random", "binary"))
    shares = [(part["y"] == "rare").mean() for part in parts]
    assert shares == pytest.approx([0.05] * 3, abs=0.015)


@pytest.mark.parametrize("by", ["time", "random"])
def test_too_few_rows_are_a_data_error_with_the_sizes(by: str) -> None:
    with pytest.raises(DataError, match=r"12 usable rows split into .*'test': \d+.*at least 10"):
        split_rows(rows(list(range(12))), defined(by))


def test_a_gap_that_takes_all_rows_is_named() -> None:
    with pytest.raises(DataError, match=r"'train': 0.*its gap of 4000 days"):
        split_rows(rows(list(range(1000))), defined(gap="4000 days"))


def test_one_moment_cannot_be_split_by_time() -> None:
    with pytest.raises(DataError, match="at least 10"):
        split_rows(rows([3] * 200), defined())


@pytest.mark.parametrize(
    ("where", "part"), [(slice(0, 200), "train"), (slice(120, 160), "validation"), (slice(160, 200), "test")]
)
def test_a_part_with_one_class_only_is_named(where: slice, part: str) -> None:
    classes = np.array(["a", "b"] * 100, dtype=object)
    classes[where] = "a"
    frame = rows(list(range(200))).assign(y=classes)
    with pytest.raises(DataError, match=f"The {part} part holds one class only of 'y': 'a'"):
        split_rows(frame, defined(task="binary"))


def test_a_part_of_classes_never_learnt_is_named() -> None:
    frame = rows(list(range(200))).assign(y=[f"{day // 100}{day % 2}" for day in range(200)])
    with pytest.raises(DataError, match="The test part has no class of 'y' that the training part has"):
        split_rows(frame, defined(task="multiclass", validation=0.3, test=0.4))


def test_the_table_is_left_as_it_was() -> None:
    frame = rows(list(range(100)))
    before = frame.copy()
    split_rows(frame, defined())
    pd.testing.assert_frame_equal(frame, before)
