"""The verdict on a challenger: every gate, in the order in which a person would ask."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType

from pipelines.config import Gates
from pipelines.gates.baselines import judge_baselines, judge_simpler
from pipelines.gates.bounds import judge_footprint, judge_freshness, judge_robustness
from pipelines.gates.champion import judge_champion
from pipelines.gates.fairness import judge_fairness
from pipelines.gates.features import judge_leak, judge_signature
from pipelines.gates.own import OwnGate, judge_own
from pipelines.gates.slices import asks_anything, judge_slices
from pipelines.gates.thresholds import judge_calibration, judge_threshold
from pipelines.gates.words import worst
from pipelines.records import Evaluation, GateVerdict, Verdict


def judge(
    evaluation: Evaluation,
    gates: Gates,
    moment: datetime,
    own: Mapping[str, OwnGate] = MappingProxyType({}),
) -> list[GateVerdict]:
    """What each gate says of what was measured. A first model has no champion, and no gate about one.

    `moment`, in UTC, is that of the judgment, which may come long after what was measured; `own` are the
    functions of gates.own by their reference.
    """
    verdicts = [loads_and_answers(evaluation)]
    if evaluation.metric not in evaluation.metrics:
        verdicts.append(not_measured(evaluation))
    verdicts += [judge_threshold(evaluation, rule) for rule in gates.thresholds]
    if gates.baseline:
        verdicts.append(judge_baselines(evaluation, gates.champion))
    if gates.simpler:
        verdicts.append(judge_simpler(evaluation, gates.simpler))
    if evaluation.comparison is not None:
        verdicts.append(judge_champion(evaluation, gates.champion))
    if gates.slices and asks_anything(evaluation, gates.slices):
        verdicts.append(judge_slices(evaluation, gates.slices))
    if gates.signature and evaluation.signature_changes is not None:
        verdicts.append(judge_signature(evaluation, gates.signature))
    verdicts += judge_behaviour(evaluation, gates, moment)
    return verdicts + [judge_own(evaluation, reference, own[reference]) for reference in gates.own]


def judge_behaviour(evaluation: Evaluation, gates: Gates, moment: datetime) -> list[GateVerdict]:
    """The gates that ask about this model alone, and not how good it is."""
    verdicts = []
    if gates.fairness:
        verdicts.append(judge_fairness(evaluation, gates.fairness))
    if gates.calibration:
        verdicts.append(judge_calibration(evaluation, gates.calibration))
    if gates.robustness:
        verdicts.append(judge_robustness(evaluation, gates.robustness))
    if gates.footprint:
        verdicts.append(judge_footprint(evaluation, gates.footprint))
    if gates.freshness:
        verdicts.append(judge_freshness(evaluation, gates.freshness, moment))
    if gates.leak and evaluation.importances:
        verdicts.append(judge_leak(evaluation, gates.leak))
    return verdicts


def overall(verdicts: list[GateVerdict]) -> Verdict:
    """`fail` if any gate failed, else `inconclusive` if any could not decide, else `pass`."""
    return worst([verdict.verdict for verdict in verdicts])


def loads_and_answers(evaluation: Evaluation) -> GateVerdict:
    """The model loads in a clean process and answers as it did in evaluation."""
    if evaluation.smoke_failure is None:
        return GateVerdict(
            name="smoke",
            verdict="pass",
            reason="The model loads in a clean process and gives the same answers.",
        )
    return GateVerdict(name="smoke", verdict="fail", reason=evaluation.smoke_failure)


def not_measured(evaluation: Evaluation) -> GateVerdict:
    """The definition's own metric has no value: whatever else passes, nothing is known."""
    reason = (
        f"{evaluation.metric} has no value on {evaluation.rows:,} test rows: the answers are not finite"
        " numbers, or the rows have one class only. Look at the model, or hold other rows back."
    )
    return GateVerdict(name="metric", verdict="inconclusive", reason=reason)
