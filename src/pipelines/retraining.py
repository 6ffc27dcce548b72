"""Is this verdict a reason to train again? Pure: the same stored numbers give the same decision, always."""

from __future__ import annotations

from datetime import datetime
from hashlib import sha256

from pipelines.config import Retraining
from pipelines.records import CauseKind, Decision, WindowVerdict


def decide_retraining(
    verdict: WindowVerdict,
    retraining: Retraining,
    window_end: datetime,
    last_cause_end: datetime | None,
    model_is_champion: bool,
) -> tuple[Decision, str]:
    """Whether to retrain, with the reason; `last_cause_end` ends the window of the last training that was
    started.

    All times are event times, so a replayed past decides as it would have then.
    """
    if verdict in {"healthy", "insufficient"}:
        return "none", f"Nothing to do: the window is {verdict}."
    if verdict not in retraining.when:
        policy = " and ".join(retraining.when) or "nothing"
        return "suggest", f"A person may retrain: retraining.when starts it for {policy}, not for {verdict}."
    if not model_is_champion:
        return "suggest", "Nothing is started: the model that was judged is no longer champion."
    if last_cause_end is not None and window_end < last_cause_end + retraining.cooldown:
        until = last_cause_end + retraining.cooldown
        return "suggest", f"Nothing is started: the last cause, of {last_cause_end}, rules until {until}."
    return "retrain", f"Training starts: retraining.when names {verdict}."


def cause_id(pipeline: str, version: int, kind: CauseKind, window_start: datetime) -> str:
    """16 hex digits that are the same whenever the same window of the same model gives the same cause."""
    return sha256("\n".join([pipeline, str(version), kind, window_start.isoformat()]).encode()).hexdigest()[
        :16
    ]
