"""Values within stated bounds: kept, or broken, beyond doubt, or the rows cannot tell."""

from __future__ import annotations

import math
from dataclasses import dataclass

from pipelines.config import CalibrationGate, Threshold
from pipelines.gates.champion import LEAST
from pipelines.gates.power import ENOUGH, NORMAL, ends
from pipelines.gates.words import number, span
from pipelines.records import Evaluation, GateVerdict, Interval, Verdict

LEVEL = 0.025  # of either end of the stored intervals
ROUNDING = 1e-6  # of an interval: a value as near to a bound lies on it


@dataclass(frozen=True)
class Bounds:
    """What a value may be, the bounds themselves included."""

    low: float = -math.inf
    high: float = math.inf

    @classmethod
    def stated(cls, at_least: float | None, at_most: float | None) -> Bounds:
        return cls(-math.inf if at_least is None else at_least, math.inf if at_most is None else at_most)

    def __str__(self) -> str:
        said = [f"at least {number(self.low)}"] if math.isfinite(self.low) else []
        said += [f"at most {number(self.high)}"] if math.isfinite(self.high) else []
        return " and ".join(said) or "no bound"


def judge_threshold(evaluation: Evaluation, rule: Threshold) -> GateVerdict:
    """Whether a metric's 95 % interval lies within its bounds, outside of them, or on both sides of one."""
    return judge_bounds(
        f"threshold:{rule.metric}", evaluation, rule.metric, Bounds.stated(rule.at_least, rule.at_most)
    )


def judge_calibration(evaluation: Evaluation, gate: CalibrationGate) -> GateVerdict:
    """As a threshold, of the expected calibration error, whose interval knows of the noise of few rows."""
    return judge_bounds("calibration", evaluation, "ece", Bounds(high=gate.ece))


def judge_bounds(name: str, evaluation: Evaluation, metric: str, bounds: Bounds) -> GateVerdict:
    interval = evaluation.intervals.get(metric)
    if interval is None or not math.isfinite(interval.high - interval.low):
        found = f"{metric} could not be computed on {evaluation.rows:,} test rows."
        return GateVerdict(name=name, verdict="inconclusive", reason=found)
    rows = evaluation.rows if interval.rows is None else interval.rows
    verdict = within(interval, rows, bounds)
    # Of a calibrated model all that is measured may be noise: what is sure to be there is the lower end.
    truth = interval.low if metric == "ece" else interval.value
    lacks = needed(interval, truth, rows, bounds) if verdict == "inconclusive" else ""
    of = ""
    if rows < evaluation.rows:
        of = f" of {evaluation.rows:,}"
        lacks = lacks and " A function is asked about no more rows than that, and these cannot tell."
    reason = f"{metric} {span(interval)} on {rows:,}{of} rows ({bounds}).{lacks}"
    return GateVerdict(name=name, verdict=verdict, reason=reason)


def within(
    interval: Interval, rows: int, bounds: Bounds, level: float = LEVEL, to_fail: float = LEVEL
) -> Verdict:
    """`pass` where the value lies within the bounds, each with 1 - `level` certainty; `fail` where it lies
    outside of one with 1 - `to_fail`. Fewer than LEAST rows decide nothing.
    """
    if bounds == Bounds():
        return "pass"
    (low, high), (sure_low, sure_high) = ends(interval, level), ends(interval, to_fail)
    if rows < LEAST:
        return "inconclusive"
    if bounds.low <= low and high <= bounds.high:
        return "pass"
    return "fail" if sure_high < bounds.low or sure_low > bounds.high else "inconclusive"


def needed(
    interval: Interval,
    truth: float,
    rows: int,
    bounds: Bounds,
    level: float = LEVEL,
    to_fail: float = LEVEL,
) -> str:
    """How many rows would decide with a chance of ENOUGH, were `truth` the true value: ends draw near by
    the rows' root.
    """
    to_keep, to_break = (
        (NORMAL.inv_cdf(ENOUGH) - NORMAL.inv_cdf(one)) / -NORMAL.inv_cdf(LEVEL) for one in (level, to_fail)
    )
    down, up = truth - interval.low, interval.high - truth
    sides = ((truth - bounds.low, down, up), (bounds.high - truth, up, down))
    if any(abs(room) <= ROUNDING * (down + up) for room, _, _ in sides):
        return " No number of rows tells which side of a bound a value is on that lies on it."
    times = max(
        (to_keep * kept if room > 0 else to_break * broken) / abs(room) for room, kept, broken in sides
    )
    return f" These rows cannot tell: about {max(math.ceil(rows * times**2), LEAST):,} would be needed."
