"""Bounds on what a model takes and how it behaves: robustness, footprint, freshness."""

from __future__ import annotations

from datetime import datetime, timedelta

from pipelines.config import FootprintGate, RobustnessGate
from pipelines.gates.words import number, worst
from pipelines.records import Evaluation, GateVerdict

MOST_NAMED = 5  # failures that a reason names


def judge_robustness(evaluation: Evaluation, gate: RobustnessGate) -> GateVerdict:
    """Every changed row was answered, and noise did not move the answers far."""
    failures = [probe for probe in evaluation.probes if probe.failure]
    noise = next((probe for probe in evaluation.probes if probe.name == "noise"), None)
    if noise is None or (noise.change is None and not noise.failure):
        reason = "Nothing was tried: the answers are no numbers. Look at the model."
        return GateVerdict(name="robustness", verdict="inconclusive", reason=reason)
    if failures:
        named = [f"{probe.name} {probe.column or ''}".strip() + f": {probe.failure}" for probe in failures]
        few = " ".join(named[:MOST_NAMED])
        reason = f"{len(failures)} of {len(evaluation.probes)} changes have no answer. {few}"
        return GateVerdict(name="robustness", verdict="fail", reason=reason)
    change = noise.change or 0.0
    reason = (
        f"All {len(evaluation.probes)} changes are answered; noise of 1 % moves answers by {number(change)}"
        f" on {noise.rows:,} rows, at most {number(gate.noise)}."
    )
    return GateVerdict(name="robustness", verdict="pass" if change <= gate.noise else "fail", reason=reason)


def judge_footprint(evaluation: Evaluation, gate: FootprintGate) -> GateVerdict:
    """Latency, memory and size of the loaded model, as measured in a process of its own."""
    taken = evaluation.footprint
    if taken is None:
        reason = "The model did not load and answer in a clean process, so nothing was measured."
        return GateVerdict(name="footprint", verdict="inconclusive", reason=reason)
    asked = [
        ("a row takes", taken.latency_p99, gate.latency_p99, 1.0, "ms (99th percentile)"),
        ("memory", taken.memory_bytes, gate.memory, 1e6, "MB"),
        ("size", taken.size_bytes, gate.size, 1e6, "MB"),
    ]
    bounded = [
        (words, value, most, unit, name) for words, value, most, unit, name in asked if most is not None
    ]
    said = [
        f"{words} {number(value / unit)} {name}, at most {number(most / unit)}"
        for words, value, most, unit, name in bounded
    ]
    verdict = worst(["fail" if value > most else "pass" for _, value, most, _, _ in bounded])
    return GateVerdict(name="footprint", verdict=verdict, reason=f"{'; '.join(said) or 'no bound'}.")


def judge_freshness(evaluation: Evaluation, most: timedelta, moment: datetime) -> GateVerdict:
    """The newest row of the snapshot, at the moment of the judgment."""
    if evaluation.newest is None:
        reason = "No row has a time. Look at the timestamp column."
        return GateVerdict(name="freshness", verdict="inconclusive", reason=reason)
    age = moment - evaluation.newest
    reason = (
        f"The newest row is of {evaluation.newest:%Y-%m-%d %H:%M}, {days(age)} before"
        f" {moment:%Y-%m-%d %H:%M} UTC; at most {days(most)}."
    )
    return GateVerdict(name="freshness", verdict="pass" if age <= most else "fail", reason=reason)


def days(age: timedelta) -> str:
    number = age / timedelta(days=1)
    return f"{number:,.0f} days" if abs(number) >= 100 else f"{number:.3g} days"
