"""Pairs of columns of which one is never above the other: what starts before it ends, least and most."""

from __future__ import annotations

import re
from itertools import combinations
from typing import TYPE_CHECKING, Any

from pipelines.records import Record

if TYPE_CHECKING:
    import pandas as pd

FEWEST = 20  # rows that have both
MOST = 5  # relations that are proposed
MOST_TIMES = 12  # time columns that are paired
OPPOSITES = (
    ("min", "max"),
    ("minimum", "maximum"),
    ("low", "high"),
    ("lower", "upper"),
    ("start", "end"),
    ("begin", "end"),
    ("first", "last"),
    ("from", "to"),
)
WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+")


class Relation(Record):
    """`low` is at most `high` in every row that has both."""

    low: str
    high: str


def find_relations(times: dict[str, pd.Series[Any]], numbers: dict[str, pd.Series[Any]]) -> list[Relation]:
    """A few pairs that hold in every row: of time columns, and of numbers named as opposites."""
    pairs = [pair for a, b in combinations(list(times)[:MOST_TIMES], 2) for pair in ((a, b), (b, a))]
    found = [Relation(low=low, high=high) for low, high in pairs if holds(times[low], times[high])]
    named = opposite_names(list(numbers))
    found += [Relation(low=low, high=high) for low, high in named if holds(numbers[low], numbers[high])]
    return found[:MOST]


def holds(low: pd.Series[Any], high: pd.Series[Any]) -> bool:
    both = low.notna() & high.notna()
    if int(both.sum()) < FEWEST:
        return False
    return bool((low[both] <= high[both]).all()) and bool((low[both] < high[both]).any())


def opposite_names(names: list[str]) -> list[tuple[str, str]]:
    """Pairs of names that differ in a word and its opposite: temp_min and temp_max."""
    by_words = {tuple(word.lower() for word in WORD.findall(name)): name for name in names}
    return [
        (name, by_words[other])
        for words, name in by_words.items()
        for low, high in OPPOSITES
        if low in words
        for other in [tuple(high if word == low else word for word in words)]
        if other in by_words
    ]
