"""What has to hold whatever the delivery is.

For every case: the answer; the unchanged champion; the row arithmetic, with nothing lost and nothing twice;
that the next good batch works without any cleaning up; and that nothing shown to people has a traceback or a
control character in it.
"""

from __future__ import annotations

import re

import pandas as pd

from pipelines.errors import ConfigError, DataError
from tests.faults.frame import HELD, NEXT, Answer, Case, Pipeline, rides

UGLY = re.compile(
    r"Traceback|most recent call|\b(?!Data)[A-Z]\w+(Error|Exception|Invalid)\b|[Pp]yarrow|pandas"
    r"|site-packages|\.py\b|\b0x[0-9a-f]{6,}|object at|errno|Errno"
)
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


def judge(case: Case, pipeline: Pipeline) -> Answer:
    """Deliver the case and assert all that is due; the answer, for what else a test wants to see."""
    if case.definition:
        pipeline.define(case.definition)
    champions, intakes = pipeline.champions(), pipeline.intakes()
    held, waiting = pipeline.held(), pipeline.waiting()
    answer = pipeline.ingest(case.deliver(pipeline))
    check_answer(case, answer)
    check_words(answer)
    assert pipeline.champions() == champions
    check_rows(case, answer, pipeline, held, waiting)
    if answer.batch is None:
        assert pipeline.intakes() == intakes
    assert_nothing_left_behind(pipeline, refused=bool(case.refused))
    if case.after:
        case.after(pipeline)
    check_next(pipeline)
    assert pipeline.champions() == champions
    return answer


def check_answer(case: Case, answer: Answer) -> None:
    if case.error is None:
        assert answer.error is None, f"refused: {answer.error}"
    else:
        assert answer.error is not None, f"accepted, {answer.counts}: {answer.said}"
        assert type(answer.error) is case.error, repr(answer.error)
        assert answer.error.hint
        assert answer.error.exit_code == (2 if case.error is ConfigError else 3)
    for pattern in case.says:
        assert re.search(pattern, answer.said), f"{pattern!r} is not in: {answer.said}"
    if case.error is DataError:
        assert answer.counts is None, f"read all the same: {answer.counts}"


def check_words(answer: Answer) -> None:
    for text in answer.shown:
        ugly = UGLY.search(text) or CONTROL.search(text)
        assert not ugly, f"{ugly[0]!r} in: {text[max(0, ugly.start() - 200) : ugly.end() + 200]}"


def check_rows(
    case: Case, answer: Answer, pipeline: Pipeline, held: pd.DataFrame, waiting: pd.DataFrame
) -> None:
    """Read = known + accepted + quarantined + refused, and the tables hold just that."""
    after, aside = pipeline.held(), pipeline.waiting()
    seqs = [*after["_seq"], *aside["_seq"]]
    assert len(seqs) == len(set(seqs))
    assert len(after) == len(held) + case.accepted
    assert len(aside) == len(waiting) + case.quarantined
    if answer.batch is None or not answer.batch.rebuilt:
        for then, now in ((held, after), (waiting, aside)):
            pd.testing.assert_frame_equal(now.iloc[: len(then)][list(then)], then)
        check_counts(case, answer)
    if case.accepted and case.read_as is not None:
        wanted = case.read_as(pipeline.rows).reset_index(drop=True)
        got = after.iloc[len(held) :][list(wanted)].reset_index(drop=True)
        pd.testing.assert_frame_equal(got, wanted, check_dtype=False, check_index_type=False)


def check_counts(case: Case, answer: Answer) -> None:
    counts = answer.counts
    if counts is None:
        return
    assert counts.read == counts.known + counts.accepted + counts.quarantined + counts.refused
    found = (counts.known, counts.accepted, counts.quarantined, counts.refused)
    assert found == (case.known, case.accepted, case.quarantined, case.refused), f"{counts}; {answer.said}"


def assert_nothing_left_behind(pipeline: Pipeline, refused: bool) -> None:
    """Only a batch that was read and refused stays aside, for people to look at."""
    incoming = pipeline.home.pipeline(pipeline.name).incoming
    assert len(list(incoming.iterdir()) if incoming.exists() else []) == int(refused)


def check_next(pipeline: Pipeline) -> None:
    """A good batch adds exactly its rows, whatever came before."""
    before, aside = len(pipeline.held()), len(pipeline.waiting())
    rows = rides(HELD + 10_000, NEXT, pipeline.form.target)
    path = pipeline.inbox / f"next.{pipeline.form.ending}"
    pipeline.form.write(path, rows)
    answer = pipeline.ingest(path)
    assert answer.error is None, answer.error
    held = pipeline.held()
    assert (len(held), len(pipeline.waiting())) == (before + NEXT, aside), answer.said
    got = held.iloc[before:][list(rows)].reset_index(drop=True)
    pd.testing.assert_frame_equal(got, rows, check_dtype=False)
