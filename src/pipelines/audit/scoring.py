"""From the evidence to 28 answers, and to the ML Test Score by the paper's rule.

A test that a person makes and writes down counts half, one that runs by itself and again counts one; the
score is the least of the sections' sums.
"""

from __future__ import annotations

from datetime import datetime

from pipelines.audit.answers import POINTS, Answer, Proof, Status
from pipelines.audit.evidence import Evidence
from pipelines.audit.rubric import SECTIONS, Test
from pipelines.records import Record

BANDS = (  # of the paper: a score above the number
    (5.0, "exceptional levels of automated testing and monitoring"),
    (3.0, "strongly tested and monitored, suitable for mission-critical systems"),
    (2.0, "reasonably tested, but more of it may be automated"),
    (1.0, "a first pass at basic productionization; more investment may be needed"),
    (0.0, "not totally untested, but serious holes in reliability are possible"),
)
NOTHING = "more of a research project than a productionized system"


class Scorecard(Record):
    """The 28 answers, the sum of each section (0 to 7), and their least, which is the score."""

    pipeline: str
    at: datetime
    version: int | None
    score: float
    band: str
    sections: dict[str, float]
    answers: list[Answer]


def answer_all(evidence: Evidence) -> Scorecard:
    """The answers that the evidence gives, and the score by the paper's rule."""
    answers = [
        answer_one(evidence, section, number, test)
        for section, tests in SECTIONS.items()
        for number, test in enumerate(tests, 1)
    ]
    sums = {name: sum(a.points for a in answers if a.section == name) for name in SECTIONS}
    score = min(sums.values())
    return Scorecard(
        pipeline=evidence.pipeline,
        at=evidence.gathered,
        version=evidence.reign.version if evidence.reign else None,
        score=score,
        band=band_of(score),
        sections=sums,
        answers=answers,
    )


def band_of(score: float) -> str:
    """The paper's words for a score."""
    return next((words for above, words in BANDS if score > above), NOTHING)


def answer_one(evidence: Evidence, section: str, number: int, test: Test) -> Answer:
    """By what is stored; where that says nothing by itself, by the review that a person has declared."""
    found = test.answer(evidence)
    review = evidence.reviews.get(test.key)
    if review is not None and isinstance(found, str):
        words = f"{review.by}, {review.at}: {review.note}"
        found = Proof(words=words, place=evidence.places[f"audit.reviews.{test.key}"], by_hand=True)
    status: Status = "missing"
    if isinstance(found, Proof):
        status = "manual" if found.by_hand else "automated"
    return Answer(
        section=section,
        number=number,
        test=test.key,
        name=test.name,
        answer=status,
        points=POINTS[status],
        found=found if isinstance(found, str) else found.words,
        evidence=None if isinstance(found, str) else found.place,
        trouble=None if isinstance(found, str) else found.trouble,
        to_do=to_do(evidence, test) if status == "missing" else None,
    )


def to_do(evidence: Evidence, test: Test) -> str:
    version = evidence.reign.version if evidence.reign else "N"
    return test.to_do.format(pipeline=evidence.pipeline, version=version)
