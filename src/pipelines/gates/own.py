"""Gates that a user brings: functions from an evaluation, as a dictionary, to a verdict and its reason."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, get_args

from pipelines.records import Evaluation, GateVerdict, Verdict

OwnGate = Callable[[dict[str, Any]], object]


def judge_own(evaluation: Evaluation, reference: str, gate: OwnGate) -> GateVerdict:
    """What the function says; an answer of another form decides nothing, and that is said.

    What it raises is raised.
    """
    answer = gate(evaluation.model_dump(mode="json"))
    match answer:
        case [str() as verdict, reason] if verdict in get_args(Verdict):
            return GateVerdict.model_validate({"name": reference, "verdict": verdict, "reason": str(reason)})
    expected = f"expected a verdict ({', '.join(get_args(Verdict))}) and a reason"
    reason = f'The function gave {answer!r:.200}; {expected}, as in `return "pass", "all is well"`.'
    return GateVerdict(name=reference, verdict="inconclusive", reason=reason)
