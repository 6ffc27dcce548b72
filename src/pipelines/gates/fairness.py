"""Groups treated alike: each bound is kept, or broken, beyond doubt, or the rows cannot tell.

A bound is asked of every two groups, at the stated level for all pairs together, as of slices. To pass,
each pair must keep it by itself, so no correction is due (the intersection-union test of Berger 1982). To
fail, one pair is enough that breaks it at its share of the level (Bonferroni; either group may be the
higher one). Rates are taken as normal, and their ratio has Fieller's limits (1954), which hold where few
are selected, too.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import combinations

from pipelines.config import FairnessGate
from pipelines.gates.power import NORMAL
from pipelines.gates.words import listed, number, worst
from pipelines.records import Evaluation, GateVerdict, GroupFairness, GroupRates, Rate, Verdict


@dataclass(frozen=True)
class Bound:
    """What a rate of two groups may differ by: as a ratio at least, as a difference at most."""

    rate: Callable[[GroupRates], Rate | None]
    words: str
    value: float
    ratio: bool = False

    def __str__(self) -> str:
        return f"{'at least' if self.ratio else 'at most'} {number(self.value)} is wanted"

    def room(self, value: float) -> float:
        """How far a value is within the bound, negative beyond it."""
        return value - self.value if self.ratio else self.value - value


@dataclass(frozen=True)
class Pair:
    """Two groups, the one with the lower rate first, and how far apart they are."""

    names: str
    low: Rate
    high: Rate
    bound: Bound

    @property
    def value(self) -> float:
        return self.low.value / self.high.value if self.bound.ratio else self.high.value - self.low.value

    def limits(self, level: float) -> tuple[float, float]:
        """Below and above which the true ratio, or difference, lies with a chance of `level` each."""
        z, low, high = -NORMAL.inv_cdf(level), self.low, self.high
        if not self.bound.ratio:
            width = z * math.hypot(low.error, high.error)
            return self.value - width, self.value + width
        certain = high.value**2 - (z * high.error) ** 2
        if certain <= 0:  # the higher rate may be none at all
            return -math.inf, math.inf
        middle = low.value * high.value
        width = math.sqrt(middle**2 - certain * (low.value**2 - (z * low.error) ** 2))
        return (middle - width) / certain, (middle + width) / certain

    def kept(self, level: float) -> float:
        """How far within the bound the pair is, but for a chance of `level`."""
        return min(self.bound.room(end) for end in self.limits(level))

    def broken(self, level: float) -> float:
        """The same, had it every doubt in its favour: negative where the bound is broken."""
        return max(self.bound.room(end) for end in self.limits(level))

    def words(self, level: float) -> str:
        low, high = (number(end) for end in self.limits(level))
        found = f"{self.bound.words} {number(self.value)} ({self.names})"
        sure = f"between {low} and {high} with {1 - level:.4g} certainty each"
        fewer = min(self.low.rows, self.high.rows)
        return f"{found}, {sure}, {fewer:,} rows in the smaller group; {self.bound}"


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
        bounds += [Bound(lambda group: group.selection, "selection ratio", gate.selection_ratio, ratio=True)]
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
    few = [name for name in rates if name not in known]
    left = list_few(few, groups.left_out, gate.least_rows)
    pairs = pair_up(known, bound)
    if not pairs:
        why = "nobody is selected" if len(known) > 1 else "no two groups have rows enough"
        return "inconclusive", f"{groups.column}: {bound.words} unknown, {why}; {bound}.{left}"
    verdict, pair, level = decide(pairs, gate.level)
    return verdict, f"{groups.column}: {pair.words(level)}.{left}"


def decide(pairs: list[Pair], level: float) -> tuple[Verdict, Pair, float]:
    """The verdict, the pair that decided, and the level that was asked of it."""
    share = level / (2 * len(pairs))
    worst_pair = min(pairs, key=lambda pair: pair.broken(share))
    if worst_pair.broken(share) < 0:
        return "fail", worst_pair, share
    least_sure = min(pairs, key=lambda pair: pair.kept(level))
    return "pass" if least_sure.kept(level) >= 0 else "inconclusive", least_sure, level


def pair_up(known: dict[str, Rate], bound: Bound) -> list[Pair]:
    """Every two groups; two of which nobody is selected are alike, and have no ratio."""
    return [
        Pair(f"{low} and {high}", known[low], known[high], bound)
        for low, high in combinations(sorted(known, key=lambda name: known[name].value), 2)
        if not bound.ratio or known[high].value > 0
    ]


def list_few(names: list[str], others: int, least: int) -> str:
    """The groups that were not compared; of many, the first."""
    if others:
        return f" Not compared: {others + len(names):,} smaller groups."
    if not names:
        return ""
    return f" Not compared, for fewer than {least} rows: {listed(names)}."
