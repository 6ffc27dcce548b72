"""Better, or no worse: what is said of stored differences, and how often it is said wrongly."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom

from pipelines.config import ChampionGate
from pipelines.evaluation.classification import auc_of
from pipelines.evaluation.comparing import compare
from pipelines.evaluation.intervals import describe_same, describe_wins
from pipelines.evaluation.regression import Values, rmse
from pipelines.evaluation.resampling import Resamples, Statistic
from pipelines.gates.champion import Question, decide, judge_champion
from pipelines.gates.power import chance
from pipelines.records import Comparison, Difference, Evaluation, GateVerdict
from tests.pipelines.gates.cases import compared, difference

ORDER = {"fail": 0, "inconclusive": 1, "pass": 2}


def judged(comparison: Comparison, **gate: Any) -> GateVerdict:
    evaluation = Evaluation(
        attempt="a",
        task="regression",
        metric="rmse",
        rows=comparison.rows + comparison.left_out,
        metrics={"rmse": 10.0},
        intervals={},
        baselines=[],
        comparison=comparison,
    )
    return judge_champion(evaluation, ChampionGate(**gate))


# Of 0.05 one-sided: 1.645 errors from the bound, which is 0, or -0.1 where 1 % of 10 may be lost.
@pytest.mark.parametrize(
    ("value", "rule", "margin", "expected"),
    [
        (1.7, "superiority", "1%", "pass"),
        (1.6, "superiority", "1%", "inconclusive"),
        (-1.6, "superiority", "1%", "inconclusive"),
        (-1.7, "superiority", "1%", "fail"),
        (1.6, "non_inferiority", "1%", "pass"),
        (1.5, "non_inferiority", "1%", "inconclusive"),
        (-1.7, "non_inferiority", "1%", "inconclusive"),
        (-1.8, "non_inferiority", "1%", "fail"),
        (1.2, "non_inferiority", 0.5, "pass"),  # half an RMSE
        (1.1, "non_inferiority", 0.5, "inconclusive"),
    ],
)
def test_where_the_interval_lies(value: float, rule: str, margin: Any, expected: str) -> None:
    assert judged(compared(difference(value, 1.0)), rule=rule, margin=margin).verdict == expected


def test_a_stricter_level_asks_for_more() -> None:
    found = compared(difference(2.0, 1.0))
    assert judged(found, rule="superiority", level=0.05).verdict == "pass"
    assert judged(found, rule="superiority", level=0.01).verdict == "inconclusive"


def test_the_champion_itself_is_no_worse_and_no_better() -> None:
    same = compared(describe_same(100))
    assert judged(same, margin=0).verdict == "pass"
    assert judged(same, rule="superiority").verdict == "fail"


def test_another_metric_may_be_asked_about() -> None:
    found = compared(difference(-5.0, 1.0))
    money = {"differences": {"value": difference(5.0, 1.0)}, "metrics": {"value": 105.0}}
    found = found.model_copy(update=money | {"champion_metrics": {"value": 100.0}})
    verdict = judged(found, metric="value", rule="superiority")
    assert verdict.verdict == "pass"
    assert verdict.reason.startswith("value 105 against 100")


def test_what_could_have_been_shown_is_said_and_what_would_be_needed() -> None:
    small = judged(compared(difference(0.1, 1.0, rows=50)), rule="superiority", improvement=0.5)
    assert small.verdict == "inconclusive"
    assert "better by 0.5 would pass on these rows with a chance of 13%" in small.reason
    assert "For a chance of 80% about 1,237 rows would be needed." in small.reason  # 50 (2.486 / 0.5)^2
    large = judged(compared(difference(0.1, 0.1, rows=5_000)), rule="superiority", improvement=0.5)
    assert "with a chance of 100%" in large.reason
    assert "it is probably less" in large.reason
    never = judged(compared(difference(0.1, 1.0)), margin=0)
    assert "state a margin or an improvement above 0" in never.reason


def test_labels_that_differ_on_a_few_rows_show_nothing_however_far_apart() -> None:
    few = compared(difference(9.0, 1.0, rows=200, rests_on=3.0))
    found = judged(few, rule="superiority", improvement=5.0)
    assert found.verdict == "inconclusive"
    assert "rests on 3.0 rows, and fewer than 5 show nothing at this level: about 334 rows" in found.reason
    none = difference(0.0, 0.0, rows=200, rests_on=0.0)  # equal labels on these rows
    assert judged(compared(none)).verdict == "inconclusive"


def test_a_small_test_set_shows_nothing_whatever_the_models() -> None:
    small = judged(compared(difference(9.0, 1.0, rows=29)), rule="superiority", improvement=9.0)
    assert small.verdict == "inconclusive"
    assert "Fewer than 30 rows show nothing that can be relied on: about 30 would be needed" in small.reason
    assert judged(compared(difference(9.0, 1.0, rows=30)), rule="superiority").verdict == "pass"
    assert judged(compared(describe_same(12))).verdict == "pass"  # the same model is no worse


def test_wins_must_also_be_mcnemars() -> None:
    """Of 4 wins and no loss the chance is 1 in 16 where both are equally good."""
    assert decide(describe_wins(4, 0, 100), Question(0.0, 0.01, 0.05, strict=True)) == "inconclusive"
    assert decide(describe_wins(5, 0, 100), Question(0.0, 0.01, 0.05, strict=True)) == "pass"
    assert decide(describe_wins(0, 0, 10_000), Question(-0.01, 0.0, 0.05, strict=False)) == "pass"
    assert decide(describe_wins(0, 0, 100), Question(-0.01, 0.0, 0.05, strict=False)) == "inconclusive"


def test_without_a_difference_nothing_is_decided() -> None:
    learnt = judged(Comparison(champion_version=4, rows=3, left_out=97))
    assert learnt.verdict == "inconclusive"
    assert "learnt from 97 of the 100 test rows; 3 are too few" in learnt.reason
    nothing = judged(Comparison(champion_version=4, rows=100))
    assert nothing.verdict == "inconclusive"
    assert "rmse has no finite value for both models on 100 rows" in nothing.reason


@given(st.floats(-10, 10), st.floats(0.01, 10), st.floats(-5, 5), st.floats(0, 5), st.floats(0, 5))
def test_more_evidence_never_makes_a_verdict_worse(
    value: float, error: float, above: float, up: float, down: float
) -> None:
    here, better = difference(value, error), difference(value + up, error)
    question = Question(above, 0.0, 0.05, strict=True)
    easier = Question(above - down, 0.0, 0.05, strict=False)
    assert ORDER[decide(here, question)] <= ORDER[decide(better, question)]
    assert ORDER[decide(here, question)] <= ORDER[decide(here, easier)]


# -------------------------------------------------------------- simulated (all of it: benchmarks/judgment.py)

PAIRS, ROWS, LEVEL = 1_000, 200, 0.05
MOST = int(binom.ppf(0.99, PAIRS, LEVEL))  # wrong passes: more of them have a chance of 1 % at that level


def squares(random: np.random.Generator, noise: float) -> Statistic:
    return rmse(Values(np.zeros(ROWS), random.normal(0, noise, ROWS), {}))


def simulate(first: float, second: float) -> list[Difference]:
    """RMSEs of a challenger and a champion with these true ones."""
    random, resamples = np.random.default_rng(4), Resamples(ROWS, draws=2_000)
    found = []
    for _ in range(PAIRS):
        models = {"a": squares(random, first), "b": squares(random, second)}
        found.append(compare("rmse", models, resamples).difference("a", "b"))
    return found


def passed(found: list[Difference], question: Question) -> int:
    return sum(decide(difference, question) == "pass" for difference in found)


def test_an_equally_good_challenger_is_better_at_most_as_often_as_the_level_says() -> None:
    assert 20 <= passed(simulate(1.0, 1.0), Question(0.0, 0.1, LEVEL, strict=True)) <= MOST


def test_a_challenger_at_the_margin_is_no_worse_at_most_as_often_as_the_level_says() -> None:
    assert 20 <= passed(simulate(1.1, 1.0), Question(-0.1, 0.0, LEVEL, strict=False)) <= MOST


def test_an_improvement_is_shown_as_often_as_was_foretold() -> None:
    found, question = simulate(0.85, 1.0), Question(0.0, 0.15, LEVEL, strict=True)
    foretold = np.mean([chance(0.15, difference.error, LEVEL) for difference in found])
    assert passed(found, question) / PAIRS == pytest.approx(foretold, abs=0.05)
    assert 0.5 < foretold < 0.95


def test_ranks_hold_their_level_with_few_positives() -> None:
    """AUCs of equally good scores, 40 positive rows of 200."""
    random, resamples = np.random.default_rng(5), Resamples(ROWS, draws=2_000)
    positive, question, better = np.arange(ROWS) < 40, Question(0.0, 0.05, LEVEL, strict=True), 0
    for _ in range(PAIRS):
        shared = random.normal(size=ROWS) + positive
        scores = {name: auc_of(positive, shared + random.normal(size=ROWS)) for name in "ab"}
        models = {name: found for name, found in scores.items() if found is not None}
        better += decide(compare("auc", models, resamples).difference("a", "b"), question) == "pass"
    assert 20 <= better <= MOST


def test_wins_and_losses_hold_their_level_where_few_rows_tell() -> None:
    """Accuracies of equally good models that differ on 3 % of 200 rows, and of one that is worse by 2 %."""
    random = np.random.default_rng(6)
    question, margin = Question(0.0, 0.02, LEVEL, strict=True), Question(-0.02, 0.0, LEVEL, strict=False)
    for shares, asked in (([0.015, 0.015, 0.97], question), ([0.01, 0.03, 0.96], margin)):
        found, times = np.unique(random.multinomial(ROWS, shares, PAIRS), axis=0, return_counts=True)
        verdicts = [decide(describe_wins(int(w), int(n), ROWS), asked) for w, n, _ in found]
        assert sum(t for t, verdict in zip(times, verdicts, strict=True) if verdict == "pass") <= MOST
