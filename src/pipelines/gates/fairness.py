"""Groups treated alike: each bound is kept, or broken, beyond doubt, or the rows cannot tell.

A bound is asked of every two groups, at the stated level for all pairs together, as of slices: to pass, each
pair must keep it by itself, so no correction is due (the intersection-union test of Berger 1982); to fail,
one pair that breaks it at its share of the level is enough (Bonferroni). Rates are taken as normal.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import combinations

from pipelines.config import FairnessGate
from pipelines.gates.power import NORMAL
from pipelines.gates.words import number, worst
from pipelines.records import Evaluation, GateVerdict, GroupFairness, GroupRates, Rate, Verdict

MOST_NAMED = 5  # groups that were not compared, by name


def difference(low: Rate, high: Rate) -> Rate:
    """How much higher the second rate is, with its standard error; the rows are the fewer of the two."""
    error = math.hypot(low.error, high.error)
    return Rate(value=high.value - low.value, error=error, rows=min(low.rows, high.rows))


def ratio(low: Rate, high: Rate) -> Rate:
    """The first rate over the second, which is not 0, with its standard error by the delta method."""
    value = low.value / high.value
    error = math.hypot(low.error, value * high.error) / high.value
    return Rate(value=value, error=error, rows=min(low.rows, high.rows))


@dataclass(frozen=True)
class Bound:
    """What a rate of two groups may differ by: as a ratio at least, as a difference at most."""

    rate: Callable[[GroupRates], Rate | None]
    words: str
    value: float
    least: bool = False

    def __str__(self) -> str:
        return f"{'at least' if self.least else 'at most'} {number(self.value)} is wanted"


@dataclass(frozen=True)
class Pair:
    """Two groups, and how far apart they are."""

    groups: str
    apart: Rate
    bound: Bound

    @property
    def inside(self) -> float:
        """How far within the bound they are, negative beyond it."""
        room = self.bound.value - self.apart.value
        return -room if self.bound.least else room

    def words(self, level: float) -> str:
        width = -NORMAL.inv_cdf(level) * self.apart.error
        low, high = number(self.apart.value - width), number(self.apart.value + width)
        return (
            f"{self.bound.words} {number(self.apart.value)} ({self.groups}), between {low} and {high} with"
            f" {1 - level:.4g} certainty each, {self.apart.rows:,} rows in the smaller group; {self.bound}"
        )


def judge_fairness(evaluation: Evaluation, gate: FairnessGate) -> GateVerdict:
    """Every bound for every column of groups."""
    found = [judge_bound(groups, bound, gate) for groups in evaluation.fairness for bound in asked(gate)]
    if not found:
        words = "No groups were measured: the answers are no numbers. Look at the model."
        return GateVerdict(name="fairness", verdict="inconclusive", reason=words)
    verdict = worst([verdict for verdict, _ in found])
    return GateVerdict(name="fairness", verdict=verdict, reason=" ".join(words for _, words in found))


def asked(gate: FairnessGate) -> list[Bound]:
    """The bounds of a definition; equalised odds are two."""
    bounds = []
    if gate.selection_ratio is not None:
        bounds += [Bound(lambda group: group.selection, "selection ratio", gate.selection_ratio, least=True)]
    if (odds := gate.odds_difference) is not None:
        bounds += [Bound(lambda group: group.true_positive, "difference of true positive rates", odds)]
        bounds += [Bound(lambda group: group.false_positive, "difference of false positive rates", odds)]
    if (most := gate.calibration_difference) is not None:
        bounds += [Bound(lambda group: group.calibration, "difference of calibration", most)]
    return bounds


def judge_bound(groups: GroupFairness, bound: Bound, gate: FairnessGate) -> tuple[Verdict, str]:
    """All pairs of the groups that have rows enough, with the pair that decided."""
    rates = {group.group.removeprefix(f"{groups.column} = "): bound.rate(group) for group in groups.groups}
    known = {name: rate for name, rate in rates.items() if rate and rate.rows >= gate.least_rows}
    left = list_few([name for name in rates if name not in known], gate.least_rows)
    pairs = pair_up(known, bound)
    if not pairs:
        why = "nobody is selected" if len(known) > 1 else "no two groups have rows enough"
        return "inconclusive", f"{groups.column}: {bound.words} unknown, {why}; {bound}.{left}"
    verdict, pair, level = decide(pairs, gate.level)
    return verdict, f"{groups.column}: {pair.words(level)}.{left}"


def decide(pairs: list[Pair], level: float) -> tuple[Verdict, Pair, float]:
    """The verdict, the pair that decided, and the level that was asked of it."""
    share = level / len(pairs)
    sure, surely_not = -NORMAL.inv_cdf(level), -NORMAL.inv_cdf(share)
    worst_pair = min(pairs, key=lambda pair: pair.inside + surely_not * pair.apart.error)
    if worst_pair.inside + surely_not * worst_pair.apart.error < 0:
        return "fail", worst_pair, share
    least_sure = min(pairs, key=lambda pair: pair.inside - sure * pair.apart.error)
    kept = least_sure.inside - sure * least_sure.apart.error >= 0
    return "pass" if kept else "inconclusive", least_sure, level


def pair_up(known: dict[str, Rate], bound: Bound) -> list[Pair]:
    """Every two groups; two of which nobody is selected are alike, and have no ratio."""
    between = ratio if bound.least else difference
    return [
        Pair(f"{low} and {high}", between(known[low], known[high]), bound)
        for low, high in combinations(sorted(known, key=lambda name: known[name].value), 2)
        if not bound.least or known[high].value > 0
    ]


def list_few(names: list[str], least: int) -> str:
    """The groups that were not compared; of many, the first."""
    if not names:
        return ""
    more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    return f" Not compared, for fewer than {least} rows: {', '.join(names[:MOST_NAMED])}{more}."
