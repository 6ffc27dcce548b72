"""Groups treated alike: each bound is kept, or broken, beyond doubt, or the rows cannot tell.

The rates are those of the groups farthest apart, with standard errors; a bound is judged by the normal
one-sided interval at the stated level. The farthest apart of many groups are so by chance, too: what is
judged is not corrected for that, and so asks rather too much than too little.
"""

from __future__ import annotations

from dataclasses import dataclass

from pipelines.config import FairnessGate
from pipelines.gates.power import NORMAL
from pipelines.gates.words import number, worst
from pipelines.records import Evaluation, GateVerdict, GroupFairness, Rate, Verdict


@dataclass(frozen=True)
class Bound:
    """What a rate may be: at least, or at most."""

    words: str
    value: float
    least: bool


def judge_fairness(evaluation: Evaluation, gate: FairnessGate) -> GateVerdict:
    """Every bound for every column of groups."""
    found = [
        judge_rate(groups.column, rate, bound, gate.level)
        for groups in evaluation.fairness
        for rate, bound in asked(groups, gate)
    ]
    if not found:
        words = "No groups were measured: the answers are no numbers. Look at the model."
        return GateVerdict(name="fairness", verdict="inconclusive", reason=words)
    verdict = worst([verdict for verdict, _ in found])
    return GateVerdict(name="fairness", verdict=verdict, reason=" ".join(words for _, words in found))


def asked(groups: GroupFairness, gate: FairnessGate) -> list[tuple[Rate | None, Bound]]:
    """The rates that a definition bounds."""
    bounds = [
        (groups.selection_ratio, gate.selection_ratio, "selection ratio", True),
        (groups.odds_difference, gate.odds_difference, "odds difference", False),
        (groups.calibration_difference, gate.calibration_difference, "calibration difference", False),
    ]
    return [(rate, Bound(words, value, least)) for rate, value, words, least in bounds if value is not None]


def judge_rate(column: str, rate: Rate | None, bound: Bound, level: float) -> tuple[Verdict, str]:
    wanted = f"{'at least' if bound.least else 'at most'} {number(bound.value)}"
    if rate is None:
        lacks = "no two groups have rows enough" + (", or nobody is selected," if bound.least else "")
        words = f"{column}: {lacks} for a {bound.words} ({wanted} is wanted)."
        return "inconclusive", words
    width = -NORMAL.inv_cdf(level) * rate.error
    low, high = rate.value - width, rate.value + width
    words = (
        f"{column}: {bound.words} {number(rate.value)}, between {number(low)} and {number(high)} with"
        f" {1 - level:.4g} certainty each, {rate.rows:,} rows in the smaller group; {wanted} is wanted."
    )
    kept, broken = (
        (low >= bound.value, high < bound.value) if bound.least else (high <= bound.value, low > bound.value)
    )
    return ("pass" if kept else "fail" if broken else "inconclusive"), words
