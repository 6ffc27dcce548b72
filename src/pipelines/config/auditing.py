"""The part of a definition that says what people have looked at, by hand."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal

from pydantic import StringConstraints, field_validator

from pipelines.clock import now
from pipelines.config.sections import Section

# What the 28 tests of the ML Test Score are called here, in the paper's order, a line a section.
# fmt: off
Reviewed = Literal[
    "schema", "benefit", "cost", "policy", "privacy", "additions", "feature_code",
    "specification", "correlation", "tuning", "staleness", "simpler", "slices", "inclusion",
    "reproduction", "unit", "integration", "gates", "debugging", "canary", "rollback",
    "dependencies", "invariants", "skew", "age", "stability", "performance", "quality",
]
# fmt: on
Words = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]


class Review(Section):
    """A test that a person has made: who, on which day, and what came of it."""

    by: Words
    at: date
    note: Words

    @field_validator("at")
    @classmethod
    def has_been(cls, at: date) -> date:
        if at > now().date():
            raise ValueError("this day lies ahead (in UTC); write the day on which it was done")
        return at


class Audit(Section):
    """Reviews by the test that they answer; each counts half of one that runs by itself."""

    reviews: dict[Reviewed, Review] = {}
