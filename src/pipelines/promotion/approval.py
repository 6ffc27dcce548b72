"""A person's word on a promotion that the gates allow: asked for, given or not, and carried out."""

from __future__ import annotations

from pipelines.clock import now
from pipelines.config import PipelineConfig
from pipelines.errors import PromotionConflict, UsageError
from pipelines.home import Home
from pipelines.ledger import Ledger
from pipelines.progress import log
from pipelines.promotion.transaction import promote
from pipelines.records import Approval, Promotion, TrainOutcome

NOBODY = "nobody decided in time"


def request_approval(
    config: PipelineConfig, home: Home, promotion: Promotion, outcome: TrainOutcome
) -> Approval:
    """Store that the attempt waits for a person, who has the time that the definition gives; nothing runs."""
    asked, wait = now(), config.gates.approval
    assert wait is not None  # noqa: S101  (the caller asked)
    waits = outcome.model_copy(update={"status": "awaiting_approval"})
    request = Approval(
        attempt=promotion.attempt,
        pipeline=promotion.pipeline,
        requested=asked,
        expires=asked + wait.expires,
        promotion=promotion,
        outcome=waits,
    )
    return Ledger.open(home).ask_approval(request)


def render_approval(request: Approval) -> str:
    """What waits, until when, and how to decide, as Markdown for a Prefect artifact."""
    attempt = request.attempt
    lines = [
        f"### Version {request.promotion.version} of {request.pipeline} waits for a person",
        f"Until {request.expires:%Y-%m-%d %H:%M} UTC; then it is kept out. Nothing runs meanwhile.",
        request.promotion.why,
        f"    evergreen approve {attempt} --by NAME --reason WHY",
        f"    evergreen reject {attempt} --by NAME --reason WHY",
        f"Or run the deployment `approval` with attempt `{attempt}`.",
    ]
    return "\n\n".join(lines) + "\n"


def approve(home: Home, attempt: str, by: str, reason: str) -> TrainOutcome:
    """Promote what waits, in a person's name.

    Raises UsageError where nothing waits under that id, or the time for it is over; where the champion has
    changed since it was judged, the answer is `inconclusive` and says so.
    """
    expire_approvals(home)
    return carry_out(home, Ledger.open(home).decide_approval(attempt, "approved", by, reason))


def reject(home: Home, attempt: str, by: str, reason: str) -> TrainOutcome:
    """Keep out what waits, in a person's name. Raises UsageError as `approve` does."""
    expire_approvals(home)
    decided = Ledger.open(home).decide_approval(attempt, "rejected", by, reason)
    return close(home, decided, f"rejected by {by}: {reason}")


def expire_approvals(home: Home) -> list[str]:
    """Keep out what nobody decided on in time; ids of the attempts."""
    ledger = Ledger.open(home)
    late = ledger.overdue_approvals(now())
    for one in late:
        try:
            close(home, ledger.decide_approval(one.attempt, "expired", None, NOBODY), NOBODY)
        except UsageError:  # somebody did, in this moment
            log.info("Attempt %s was decided on in the last moment", one.attempt)
    return [one.attempt for one in late]


def finish_approvals(home: Home) -> list[str]:
    """Carry out what was decided, where a crash came between; ids of the attempts."""
    ledger, finished = Ledger.open(home), []
    for one in ledger.approvals():
        outcome = ledger.outcome(one.attempt)
        if one.state == "waiting" or outcome is None or outcome.status != "awaiting_approval":
            continue
        if one.state == "approved":
            carry_out(home, one)
        else:
            close(home, one, f"{one.state} by {one.by}: {one.reason}" if one.by else str(one.reason))
        finished.append(one.attempt)
    return finished


def carry_out(home: Home, approval: Approval) -> TrainOutcome:
    """Promote what was approved; asked for twice, it happens once."""
    promotion = approval.promotion
    why = f"{promotion.why}; approved by {approval.by}: {approval.reason}"
    row = promotion.model_copy(update={"why": why, "approved_by": approval.by, "since": now()})
    try:
        promote(home, row, approval.outcome.model_copy(update={"status": "promoted"}))
    except PromotionConflict as conflict:
        reason = f"{conflict.message} {conflict.hint}"
        return close(home, approval, reason, status="inconclusive")
    found = Ledger.open(home).outcome(approval.attempt)
    return found or approval.outcome


def close(home: Home, approval: Approval, reason: str, status: str = "rejected") -> TrainOutcome:
    """The attempt's last word where it is not promoted."""
    outcome = TrainOutcome.model_validate(
        approval.outcome.model_dump() | {"status": status, "reason": reason}
    )
    Ledger.open(home).finish_attempt(outcome)
    return outcome
