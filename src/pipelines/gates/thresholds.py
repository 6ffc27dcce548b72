"""Metrics within stated bounds."""

from __future__ import annotations

from pipelines.config import Threshold
from pipelines.gates.words import number, span
from pipelines.records import Evaluation, GateVerdict


def judge_threshold(evaluation: Evaluation, rule: Threshold) -> GateVerdict:
    """Whether a metric lies within its bounds; the bounds themselves are allowed."""
    name, value = f"threshold:{rule.metric}", evaluation.metrics.get(rule.metric)
    if value is None:
        found = f"{rule.metric} could not be computed on {evaluation.rows:,} test rows."
        return GateVerdict(name=name, verdict="inconclusive", reason=found)
    found = f"{rule.metric} {span(evaluation.intervals[rule.metric])} on {evaluation.rows:,} rows"
    if rule.at_least is not None and value < rule.at_least:
        return GateVerdict(name=name, verdict="fail", reason=f"{found} is below {number(rule.at_least)}.")
    if rule.at_most is not None and value > rule.at_most:
        return GateVerdict(name=name, verdict="fail", reason=f"{found} is above {number(rule.at_most)}.")
    bounds = [f"at least {number(rule.at_least)}"] if rule.at_least is not None else []
    bounds += [f"at most {number(rule.at_most)}"] if rule.at_most is not None else []
    return GateVerdict(name=name, verdict="pass", reason=f"{found} ({' and '.join(bounds) or 'no bound'}).")
