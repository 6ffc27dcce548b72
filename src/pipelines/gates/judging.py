"""The verdict on a challenger: every gate, in the order in which a person would ask."""

from __future__ import annotations

from pipelines.config import Gates
from pipelines.gates.baselines import judge_baselines
from pipelines.gates.champion import judge_champion
from pipelines.gates.thresholds import judge_threshold
from pipelines.records import Evaluation, GateVerdict, Verdict


def judge(evaluation: Evaluation, gates: Gates) -> list[GateVerdict]:
    """What each gate says of what was measured. A first model has no champion, and no gate about one."""
    verdicts = [loads_and_answers(evaluation)]
    if evaluation.metric not in evaluation.metrics:
        verdicts.append(not_measured(evaluation))
    verdicts += [judge_threshold(evaluation, rule) for rule in gates.thresholds]
    if gates.baseline:
        verdicts.append(judge_baselines(evaluation, gates.champion))
    if evaluation.comparison is not None:
        verdicts.append(judge_champion(evaluation, gates.champion))
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


def not_measured(evaluation: Evaluation) -> GateVerdict:
    """The definition's own metric has no value: whatever else passes, nothing is known."""
    reason = (
        f"{evaluation.metric} has no value on {evaluation.rows:,} test rows: the answers are not finite"
        " numbers, or the rows have one class only. Look at the model, or hold other rows back."
    )
    return GateVerdict(name="metric", verdict="inconclusive", reason=reason)
