"""Rules that a challenger must pass: pure functions from stored numbers to a verdict with its reason."""

from __future__ import annotations

import math

from pipelines.config import Gates, Threshold
from pipelines.records import Evaluation, GateVerdict, Interval, Verdict


def judge(evaluation: Evaluation, gates: Gates) -> list[GateVerdict]:
    """The verdict of every gate, in the order in which a person would ask."""
    verdicts = [loads_and_answers(evaluation)]
    verdicts += [threshold(evaluation, rule) for rule in gates.thresholds]
    if gates.baseline:
        verdicts.append(beats_baseline(evaluation))
    if evaluation.comparison is not None:
        verdicts.append(no_worse_than_champion(evaluation, gates.champion_margin))
    return verdicts


def overall(verdicts: list[GateVerdict]) -> Verdict:
    """`fail` if any gate failed, else `inconclusive` if any could not decide, else `pass`."""
    found = {v.verdict for v in verdicts}
    return "fail" if "fail" in found else "inconclusive" if "inconclusive" in found else "pass"


def loads_and_answers(evaluation: Evaluation) -> GateVerdict:
    """The model loads in a clean process and answers as it did in evaluation."""
    if evaluation.smoke_failure is None:
        return GateVerdict(
            name="smoke",
            verdict="pass",
            reason="The model loads in a clean process and gives the same answers.",
        )
    return GateVerdict(name="smoke", verdict="fail", reason=evaluation.smoke_failure)


def threshold(evaluation: Evaluation, rule: Threshold) -> GateVerdict:
    """A metric within stated bounds."""
    name, value = f"threshold:{rule.metric}", evaluation.metrics.get(rule.metric)
    if value is None or not math.isfinite(value):
        found = f"{rule.metric} could not be computed on {evaluation.rows} test rows."
        return GateVerdict(name=name, verdict="inconclusive", reason=found)
    if rule.at_least is not None and value < rule.at_least:
        return GateVerdict(
            name=name, verdict="fail", reason=f"{rule.metric} {value:.4g} is below {rule.at_least:.4g}."
        )
    if rule.at_most is not None and value > rule.at_most:
        return GateVerdict(
            name=name, verdict="fail", reason=f"{rule.metric} {value:.4g} is above {rule.at_most:.4g}."
        )
    bounds = [f"at least {rule.at_least:.4g}"] if rule.at_least is not None else []
    bounds += [f"at most {rule.at_most:.4g}"] if rule.at_most is not None else []
    return GateVerdict(
        name=name, verdict="pass", reason=f"{rule.metric} {value:.4g} ({' and '.join(bounds) or 'no bound'})."
    )


def beats_baseline(evaluation: Evaluation) -> GateVerdict:
    """Better than the trivial baseline, beyond doubt: the whole interval of the difference lies above 0."""
    difference = evaluation.baseline_difference
    value, baseline = (m[evaluation.metric] for m in (evaluation.metrics, evaluation.baseline_metrics))
    words = (
        f"{evaluation.metric} {value:.4g} against {baseline:.4g}"
        f" ({evaluation.baseline}); better by {span(difference)} on {evaluation.rows} rows."
    )
    return GateVerdict(name="baseline", verdict=above(difference, 0.0), reason=words)


def no_worse_than_champion(evaluation: Evaluation, margin: float) -> GateVerdict:
    """Not worse than the champion by more than `margin`, a share of its metric, by the paired interval."""
    comparison = evaluation.comparison
    assert comparison is not None  # noqa: S101  (the caller asked)
    rows, learnt = evaluation.rows - comparison.left_out, comparison.left_out
    if comparison.difference is None:
        words = (
            f"The champion, version {comparison.champion_version}, learnt from {learnt} of the"
            f" {evaluation.rows} test rows; {rows} are too few to compare on. Wait for newer rows."
        )
        return GateVerdict(name="champion", verdict="inconclusive", reason=words)
    metrics = comparison.metrics or evaluation.metrics
    value, champion = metrics[evaluation.metric], comparison.champion_metrics[evaluation.metric]
    allowed = margin * abs(champion)
    others = f" ({learnt} others, from which the champion learnt, are left out)" if learnt else ""
    words = (
        f"{evaluation.metric} {value:.4g} against {champion:.4g} (champion, version"
        f" {comparison.champion_version}) on the same {rows} rows{others};"
        f" better by {span(comparison.difference)}, may be worse by {allowed:.3g}."
    )
    return GateVerdict(name="champion", verdict=not_below(comparison.difference, -allowed), reason=words)


def above(difference: Interval, bound: float) -> Verdict:
    """Where the interval lies: all above `bound`, all below, or on both sides of it."""
    if not all(map(math.isfinite, (difference.low, difference.high))):
        return "inconclusive"
    return "pass" if difference.low > bound else "fail" if difference.high <= bound else "inconclusive"


def not_below(difference: Interval, bound: float) -> Verdict:
    """As `above`, but the bound is allowed: a challenger equal to its champion is no worse, at any margin."""
    return "pass" if difference.low >= bound and math.isfinite(difference.high) else above(difference, bound)


def span(interval: Interval) -> str:
    return f"{interval.value:.4g} (95 % interval {interval.low:.4g} to {interval.high:.4g})"
