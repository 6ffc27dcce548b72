"""What an answer is, and what a test says before a person's review is asked for."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Literal

from pipelines.audit.evidence import Evidence, VersionEvidence
from pipelines.records import Evaluation, Record

Status = Literal["automated", "manual", "missing"]
POINTS: dict[Status, float] = {"automated": 1.0, "manual": 0.5, "missing": 0.0}


class Proof(Record):
    """What was found, and where it lies; `by_hand` where a person had to do it.

    `trouble` is what the test has shown to be wrong: it was made all the same, and whoever reads should know.
    """

    words: str
    place: str
    by_hand: bool = False
    trouble: str | None = None


# What a test says from the evidence: its proof or, in words, what there is none of.
Found = Proof | str

NO_CHAMPION = "there is no champion yet"


class Answer(Record):
    """One test, answered. `evidence` says where to look, `to_do` is there where the answer is `missing`."""

    section: str
    number: int
    test: str
    name: str
    answer: Status
    points: float
    found: str
    evidence: str | None = None
    trouble: str | None = None
    to_do: str | None = None


def of_champion(
    test: Callable[[Evidence, VersionEvidence, Evaluation], Found],
) -> Callable[[Evidence], Found]:
    """A test of the champion's evaluation: where there is none, it says what is lacking."""

    @wraps(test)
    def answer(evidence: Evidence) -> Found:
        champion = evidence.champion
        if champion is None:
            return NO_CHAMPION
        if champion.evaluation is None:
            return f"the evaluation of version {champion.version} is not kept in {champion.attempt.folder}"
        return test(evidence, champion, champion.evaluation)

    return answer


def place_of(version: VersionEvidence) -> str:
    """Where the evaluation of a version lies."""
    return f"{version.attempt.folder}/evaluation.json; {version.run}"


def counted(number: int, noun: str) -> str:
    """`1 window`, `2 windows`, `3 batches`."""
    plural = f"{noun}es" if noun.endswith("ch") else f"{noun}s"
    return f"{number:,} {noun if number == 1 else plural}"
