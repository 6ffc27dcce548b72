"""What each test says where its evidence is there, and where it is not; and the score by the paper's rule."""

from __future__ import annotations

from typing import Any, get_args

import pytest

from pipelines.audit.evidence import Evidence, Reproduced
from pipelines.audit.report import render_markdown, render_page
from pipelines.audit.rubric import SECTIONS
from pipelines.audit.scoring import Scorecard, answer_all, band_of
from pipelines.config import Reviewed
from pipelines.records import Footprint, Importance, Probe, WindowJudgment
from tests.pipelines.audit.made_up import (
    NOON,
    batch,
    evaluation,
    promotion,
    review,
    version,
    whole,
    window,
)

BY_HAND = {"cost", "privacy", "canary", "rollback"}


def of(evidence: Evidence) -> dict[str, Any]:
    return {answer.test: answer for answer in answer_all(evidence).answers}


def measured(**changed: Any) -> Evidence:
    """The whole evidence, with another evaluation of the champion."""
    return whole(versions=[version(1), version(2, evaluation=evaluation(**changed))])


def champion(**changed: Any) -> Evidence:
    return whole(versions=[version(1), version(2, **changed)])


def few_rows(judged: WindowJudgment) -> WindowJudgment:
    return judged.model_copy(update={"verdict": "insufficient"})


def with_column(**price: str) -> dict[str, Any]:
    """What version 2 was trained by, with another column that version 1 did not have."""
    config = version(2).config
    return config | {"columns": config["columns"] | {"price": price}}


def test_the_tests_are_the_papers_28_in_its_order() -> None:
    keys = [test.key for tests in SECTIONS.values() for test in tests]
    assert keys == list(get_args(Reviewed))
    assert [len(tests) for tests in SECTIONS.values()] == [7, 7, 7, 7]


def test_what_is_proved_is_automated_and_says_where() -> None:
    answers = of(whole())
    assert {name for name, a in answers.items() if a.answer != "automated"} == BY_HAND
    for answer in answers.values():
        there = answer.answer == "automated"
        assert (bool(answer.evidence), bool(answer.to_do)) == (there, not there)
        assert answer.points == there


def test_of_a_new_pipeline_nothing_is_proved() -> None:
    empty = Evidence(pipeline="rides", gathered=NOON, places=whole().places)
    found = answer_all(empty)
    assert {answer.answer for answer in found.answers} == {"missing"}
    assert (found.score, found.version) == (0, None)
    assert "research project" in found.band


@pytest.mark.parametrize(
    ("evidence", "missing"),
    [
        (whole(batches=[]), {"schema", "dependencies", "invariants"}),
        (whole(batches=[batch("expect_column_values_to_not_be_null")]), {"dependencies"}),
        (
            whole(windows=[]),
            {"correlation", "staleness", "integration", "invariants", "skew", "age", "quality"},
        ),
        (whole(windows=[window(1, 1)]), {"correlation", "staleness", "skew", "age", "quality"}),
        (whole(windows=[window(1, 1), window(2, 2)]), {"correlation", "staleness"}),
        (
            whole(windows=[window(1, 1), window(2, 1), few_rows(window(3, 2))]),
            {"age"},
        ),
        (
            whole(windows=[window(n, 2, quality=None) for n in (1, 2)]),
            {"correlation", "staleness", "integration", "quality"},
        ),
        (whole(windows=[window(n, 2, drift=None) for n in (1, 2)]), {"invariants", "skew"}),
        (whole(reproductions=[]), {"reproduction"}),
        (whole(reproductions=[Reproduced(seq=1, time=NOON, version=2, agrees=False)]), {"reproduction"}),
        (whole(predictions={1: 900}), {"debugging"}),
        (whole(retrains=[]), {"age"}),
        (measured(importances=[]), {"benefit", "policy", "debugging"}),
        (
            measured(importances=[Importance(column="zone", permutation=1, deviation=0.1)]),
            {"benefit", "policy", "debugging"},
        ),
        (measured(probes=[]), {"feature_code", "stability"}),
        (measured(baselines=[]), {"simpler"}),
        (measured(slices=[]), {"slices"}),
        (measured(fairness=[]), {"inclusion"}),
        (
            measured(fairness=[evaluation().fairness[0].model_copy(update={"groups": []})]),
            {"inclusion"},
        ),
        (champion(inputs=[]), {"benefit", "policy"}),
        (champion(config=with_column(type="text")), {"additions"}),
        (champion(config=with_column() | {"data": {"target": "rides", "timestamp": "price"}}), {"additions"}),
        (measured(footprint=None), {"performance"}),
        (measured(smoke_failure="no module torch"), {"feature_code", "unit"}),
        (champion(config=version(2).config | {"model": {"kind": "mlp"}}), {"tuning"}),
        (champion(config=version(1).config), {"additions"}),
        (champion(outcome=None), {"gates"}),
        (whole(promotions=[promotion(1, 1), promotion(2, 2, approved_by=None)]), {"specification"}),
        (whole(promotions=[promotion(1, 2)]), {"performance", "additions"}),
    ],
)
def test_what_is_taken_away_is_missing_and_says_what_to_do(evidence: Evidence, missing: set[str]) -> None:
    answers = of(evidence)
    found = {name for name, answer in answers.items() if answer.answer == "missing"}
    assert found - BY_HAND == missing
    assert all(answers[name].to_do and answers[name].found for name in found)
    assert "{" not in " ".join(str(answers[name].to_do) for name in found - {"tuning"})


def test_a_review_is_half_a_point_where_nothing_is_proved_and_no_more_where_it_is() -> None:
    reviews = {name: review() for name in ("privacy", "canary", "schema")}
    answers = of(whole(reviews=reviews))
    assert {name: answers[name].answer for name in reviews} == {
        "privacy": "manual",
        "canary": "manual",
        "schema": "automated",
    }
    assert answers["privacy"].points == 0.5
    assert answers["privacy"].found == "Grace, 2026-05-01: looked at it"
    assert answers["privacy"].evidence == "pipeline.yaml, line 4"


def test_a_person_who_rolls_back_is_half_a_point_and_a_service_that_does_a_whole_one() -> None:
    back = [promotion(1, 1), promotion(2, 2), promotion(3, 1), promotion(4, 2)]
    answer = of(whole(promotions=back))["rollback"]
    assert (answer.answer, answer.found) == ("manual", "Ada brought version 2 back in 2.0 s")
    undone = [*back, promotion(5, 3, state="reverted", undone="it did not load")]
    answer = of(whole(promotions=undone, taken_back=[5]))["rollback"]
    assert (answer.answer, answer.points) == ("automated", 1)
    assert "version 4 served on: it did not load" in answer.found
    never_served = of(whole(promotions=undone, reviews={"rollback": review()}))["rollback"]
    assert (never_served.answer, never_served.found) == ("manual", "Ada brought version 2 back in 2.0 s")
    first = [promotion(1, 1, previous=None, state="reverted", undone="it did not load"), promotion(2, 2)]
    assert of(whole(promotions=first, taken_back=[1]))["rollback"].answer == "missing"


def test_a_version_that_was_approved_once_is_so_when_a_person_brings_it_back() -> None:
    back = [promotion(1, 1), promotion(2, 2), promotion(3, 1, cause=None, approved_by="Grace")]
    answer = of(whole(promotions=back))["specification"]
    assert (answer.answer, "Ada approved it" in answer.found) == ("automated", True)


def test_a_window_and_an_attempt_are_those_of_the_version_that_is_told_of() -> None:
    windows = [window(1, 1), window(2, 1), window(3, 2)]
    assert of(whole(windows=windows))["staleness"].evidence == "window from 2026-05-15 12:00"
    assert of(whole(windows=windows[:2]))["integration"].evidence.startswith("attempt rides-1;")


FAILED = Probe(name="far above", column="price", rows=9, failure="inf")
SLOW = Footprint(
    load_seconds=1, latency_p50=9, latency_p99=9, rows_per_second=1, memory_bytes=1, size_bytes=1
)


@pytest.mark.parametrize(
    ("evidence", "test", "trouble"),
    [
        (
            measured(
                importances=[
                    Importance(column="zone", permutation=1, deviation=0.1, shapley=1, alone=0.1),
                    Importance(column="price", permutation=0.1, deviation=0.1, shapley=0, alone=0),
                ]
            ),
            "benefit",
            "no benefit beyond chance: price",
        ),
        (
            measured(  # price was not dealt out: of very many features those are that tell the most
                importances=[
                    Importance(column="zone", permutation=0, deviation=0.1, shapley=1, alone=0.1),
                    Importance(column="price", permutation=None, deviation=0, shapley=0, alone=0),
                ]
            ),
            "benefit",
            "no benefit beyond chance: zone",
        ),
        (
            measured(probes=[Probe(name="far above", column="price", rows=9, failure="inf")]),
            "stability",
            "far above price",
        ),
        (measured(footprint=SLOW), "performance", "1.5 times worse: latency, throughput"),
        (whole(declared=["zone"]), "policy", "not declared any more: price"),
        (
            whole(windows=[window(1, 2), window(2, 2).model_copy(update={"verdict": "degraded"})]),
            "correlation",
            "worse than expected in 1 of 2 windows",
        ),
    ],
)
def test_what_a_test_has_shown_to_be_wrong_is_told(evidence: Evidence, test: str, trouble: str) -> None:
    answer = of(evidence)[test]
    assert answer.answer == "automated"
    assert trouble in str(answer.trouble)


def test_the_score_is_the_least_of_the_sums() -> None:
    found = answer_all(whole(reviews={"cost": review(), "privacy": review()}))
    assert found.sections == {"data": 6.0, "model": 7.0, "infrastructure": 5.0, "monitoring": 7.0}
    assert found.score == 5.0


@pytest.mark.parametrize(
    ("score", "words"),
    [
        (0, "research project"),
        (0.5, "not totally untested"),
        (1, "not totally untested"),
        (1.5, "first pass"),
        (3, "reasonably tested"),
        (3.5, "strongly tested"),
        (5, "strongly tested"),
        (5.5, "exceptional"),
    ],
)
def test_bands_are_the_papers(score: float, words: str) -> None:
    assert words in band_of(score)


def test_nothing_that_people_wrote_is_obeyed_by_the_page() -> None:
    evil = review(by="<script>alert(1)</script>", note="a | b\n[x](http://e.vil) \x1b[31m")
    card: Scorecard = answer_all(whole(reviews={"privacy": evil}))
    page, text = render_page(card), render_markdown(card)
    assert "<script>alert" not in page + text
    assert "\x1b" not in page + text
    assert "a \\| b \\[x\\](http" in text
    assert page.count('<span class="chip') == 28
