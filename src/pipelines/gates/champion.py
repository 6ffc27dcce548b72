"""Better than the champion, or no worse by more than a margin, at a stated level.

Both rules are one test: is the true difference above a bound, 0 or minus the margin? It passes where the
one-sided interval of certainty 1 - level lies above the bound, and fails where the one of the other side lies
below it. So a challenger that in truth is at the bound passes with a chance of `level` at most. Where the
bound lies in between nobody knows yet.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from pipelines.config import Amount, ChampionGate
from pipelines.gates.power import ENOUGH, bound, chance, fewest_rows, mcnemar, rows_needed
from pipelines.gates.words import number, span
from pipelines.records import Comparison, Difference, Evaluation, GateVerdict, Verdict

LEAST = 30  # rows: of fewer, errors that are not normal pass at more than the level (docs/judgment.md)
USUAL = 0.01  # the improvement that is asked about where none is stated: a share of the champion's metric


@dataclass(frozen=True)
class Question:
    """Is the true difference above `above`? `effect` is the improvement for which power is reported.

    On fewer than `least` rows nothing is decided.
    """

    above: float
    effect: float
    level: float
    strict: bool  # a difference of exactly `above` is not enough
    least: int = 0


def judge_champion(evaluation: Evaluation, gate: ChampionGate) -> GateVerdict:
    """Challenger against champion on the rows that neither has learnt from."""
    comparison, metric = evaluation.comparison, gate.metric or evaluation.metric
    assert comparison is not None  # noqa: S101  (the caller asked)
    difference = comparison.differences.get(metric)
    if difference is None:
        return GateVerdict(name="champion", verdict="inconclusive", reason=nothing(comparison, metric))
    value, champion = comparison.metrics[metric], comparison.champion_metrics[metric]
    question, rows = ask(gate, champion), f"{difference.rows:,} rows{others(comparison)}"
    words = (
        f"{metric} {number(value)} against {number(champion)} (champion, version"
        f" {comparison.champion_version}) on the same {rows}. {explain(difference, question)}"
    )
    return GateVerdict(name="champion", verdict=decide(difference, question), reason=words)


def nothing(comparison: Comparison, metric: str) -> str:
    """Why there is no difference to judge."""
    if not comparison.metrics and comparison.left_out:
        return (
            f"The champion, version {comparison.champion_version}, learnt from {comparison.left_out:,} of the"
            f" {comparison.rows + comparison.left_out:,} test rows; {comparison.rows:,} are too few to"
            " compare on. Wait for newer rows."
        )
    return (
        f"{metric} has no finite value for both models on {comparison.rows:,} rows: an answer is no number,"
        " or the rows have one class only."
    )


def others(comparison: Comparison) -> str:
    left_out = comparison.left_out
    return f" ({left_out:,} others, from which the champion learnt, are left out)" if left_out else ""


def ask(gate: ChampionGate, champion: float) -> Question:
    """The question that the definition's rule asks, in the metric's unit."""
    improvement = gate.improvement
    if gate.rule == "superiority":
        effect = amount(improvement, champion) if improvement else USUAL * abs(champion)
        return Question(0.0, effect, gate.level, strict=True, least=LEAST)
    effect = amount(improvement, champion) if improvement else 0.0
    return Question(0.0 - amount(gate.margin, champion), effect, gate.level, strict=False, least=LEAST)


def amount(stated: Amount, champion: float) -> float:
    """In the metric's unit: as stated, or a share of the champion's metric."""
    return stated.value * abs(champion) if stated.share else stated.value


def decide(difference: Difference, question: Question) -> Verdict:
    """Where the one-sided intervals lie: above the bound, below it, or neither."""
    if too_few(difference, question):
        return "inconclusive"
    low, high = bound(difference, question.level), bound(difference, 1 - question.level)
    if not (math.isfinite(low) and math.isfinite(high)):
        return "inconclusive"
    if low > question.above or (low == question.above and not question.strict):
        return "pass" if by_wins(difference, question) else "inconclusive"
    return "fail" if high < question.above or (high == question.above and question.strict) else "inconclusive"


def too_few(difference: Difference, question: Question) -> bool:
    """Whether the difference rests on so few rows that an interval means nothing.

    Wins and losses need no such rule: their interval is made for few. The same answers need no interval.
    """
    if difference.wins is not None or (difference.error == 0 and difference.rests_on == difference.rows):
        return False
    return difference.rests_on < fewest_rows(question.level) or difference.rows < question.least


def by_wins(difference: Difference, question: Question) -> bool:
    """Whether wins and losses, where they are known, say so exactly, too (McNemar); it asks about 0 alone."""
    if difference.wins is None or difference.losses is None or question.above != 0:
        return True
    return mcnemar(difference.wins, difference.losses) <= question.level


def explain(difference: Difference, question: Question) -> str:
    """What is asked, what the rows could have shown, what they show, and what they lack to decide."""
    could = chance(question.effect - question.above, difference.error, question.level)
    low = bound(difference, question.level)
    words = [
        "It must be better" if question.strict else f"It may be worse by {number(abs(question.above))}",
        f"(level {question.level:g}).",
        f"A challenger {f'better by {number(question.effect)}' if question.effect else 'as good'} would pass",
        f"on these rows with a chance of {could:.0%}.",
        f"Better by {span(difference)}, by {number(low)} at least with {1 - question.level:.4g} certainty.",
    ]
    if difference.wins is not None and difference.losses is not None:
        words.append(
            f"Only the challenger is right on {difference.wins:,} rows, only the champion on"
            f" {difference.losses:,} (McNemar: p = {mcnemar(difference.wins, difference.losses):.2g})."
        )
    if decide(difference, question) == "inconclusive":
        words.append(needed(difference, question))
    return " ".join(words)


def needed(difference: Difference, question: Question) -> str:
    """What an undecided test lacks."""
    effect, level = question.effect - question.above, question.level
    rows = rows_needed(difference.rows, effect, difference.error, level)
    if rows is None:
        return "No number of rows decides that: state a margin or an improvement above 0."
    if difference.wins is None and difference.rows < question.least:
        rows = max(rows, question.least)
        least = f"Fewer than {question.least} rows show nothing that can be relied on"
        return f"{least}: about {rows:,} would be needed."
    if too_few(difference, question):
        fewest = fewest_rows(level)
        rows = max(rows, math.ceil(difference.rows * fewest / max(difference.rests_on, 1.0)))
        return (
            f"That rests on {difference.rests_on:.1f} rows, and fewer than {fewest} show nothing at this"
            f" level: about {rows:,} rows would be needed."
        )
    if rows <= difference.rows:
        return f"The rows are enough for a chance of {ENOUGH:.0%}: it is probably less."
    return f"For a chance of {ENOUGH:.0%} about {rows:,} rows would be needed."
