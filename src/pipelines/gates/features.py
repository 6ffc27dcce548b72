"""What a model rests on and asks for: a feature that knows too much, columns that changed."""

from __future__ import annotations

from pipelines.config import LeakGate, SignatureGate
from pipelines.gates.words import number
from pipelines.records import Evaluation, GateVerdict


def judge_leak(evaluation: Evaluation, gate: LeakGate) -> GateVerdict:
    """Whether some feature tells nearly all of the target by itself, as what is only known later does."""
    known = {one.column: one.alone for one in evaluation.importances if one.alone is not None}
    column = max(known, key=lambda name: known[name], default=None)
    if column is None and all(one.clock for one in evaluation.importances):
        return GateVerdict(name="leak", verdict="pass", reason="The model reads nothing but the time.")
    if column is None:
        reason = (
            "What a feature tells by itself could not be measured: the test rows have one value of the"
            " target, or of all classes but one too few rows. Hold other rows back, or set gates.leak: null."
        )
        return GateVerdict(name="leak", verdict="inconclusive", reason=reason)
    said = f"{column} by itself tells {number(known[column])} of what there is to tell of the target"
    if known[column] < gate.most:
        return GateVerdict(
            name="leak", verdict="pass", reason=f"{said}, no feature more; less than {number(gate.most)}."
        )
    reason = (
        f"{said}, {number(gate.most)} or more: is it known when a prediction is asked for? If not, set"
        f" columns.{column}.use: false; if so, raise gates.leak.most, or set gates.leak: null."
    )
    return GateVerdict(name="leak", verdict=gate.verdict, reason=reason)


def judge_signature(evaluation: Evaluation, gate: SignatureGate) -> GateVerdict:
    """The columns that callers send and are answered are the champion's, or the change is declared."""
    changes = evaluation.signature_changes or {}
    said = "; ".join(f"{column}: {words}" for column, words in changes.items())
    if undeclared := [column for column in changes if column not in gate.allow]:
        reason = (
            f"Other columns than the champion's: {said}. See that whoever asks for predictions knows, then"
            f" declare it: gates.signature: {{allow: [{', '.join(undeclared)}]}}."
        )
        return GateVerdict(name="signature", verdict="fail", reason=reason)
    reason = f"Declared changes: {said}." if changes else "The same columns as the champion's."
    return GateVerdict(name="signature", verdict="pass", reason=reason)
