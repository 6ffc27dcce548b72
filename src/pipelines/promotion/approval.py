"""A person's word on a promotion that the gates allow: asked for, given or not, and carried out."""

from __future__ import annotations

from datetime import datetime

from pipelines.clock import now
from pipelines.config import PipelineConfig
from pipelines.errors import PromotionConflict, StackError, UsageError
from pipelines.home import Home
from pipelines.ledger import Ledger
from pipelines.lock import one_at_a_time
from pipelines.markdown import LONGEST_WORDS, markdown_cell
from pipelines.progress import log
from pipelines.promotion.champion import verified_model
from pipelines.promotion.choosing import refuse_other_schema
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
    )
    return Ledger.open(home).ask_approval(request, waits)


def render_approval(request: Approval) -> str:
    """What waits, until when, and how to decide, as Markdown for a Prefect artifact."""
    attempt = request.attempt
    lines = [
        f"### Version {request.promotion.version} of {request.pipeline} waits for a person",
        f"Until {request.expires:%Y-%m-%d %H:%M} UTC; then it is kept out. Nothing runs meanwhile.",
        markdown_cell(request.promotion.why, LONGEST_WORDS),
        f"    evergreen approve {attempt} --by NAME --reason WHY",
        f"    evergreen reject {attempt} --by NAME --reason WHY",
        f"Or run the deployment `approval` with attempt `{attempt}`.",
    ]
    return "\n\n".join(lines) + "\n"


def render_approvals(requests: list[Approval]) -> str:
    """What waits and how to decide, then the last decision, as Markdown; nothing where nobody was asked."""
    parts = [render_approval(one) for one in requests if one.state == "waiting"]
    last = max(requests, key=lambda one: one.decided or datetime.min, default=None)
    if last is not None and last.decided is not None:
        who = f" by {markdown_cell(last.by)}" if last.by else ""
        words = f"Version {last.promotion.version} was {last.state}{who}"
        why = markdown_cell(last.reason or "", LONGEST_WORDS)
        parts.append(f"{words} on {last.decided:%Y-%m-%d %H:%M} UTC (attempt `{last.attempt}`): {why}\n")
    return "\n".join(parts)


def approve(home: Home, config: PipelineConfig, attempt: str, by: str, reason: str) -> TrainOutcome:
    """Promote what waits, in a person's name; where that was cut off, it is carried out now.

    Raises UsageError where nothing waits under that id, the time for it is over, or the model does not fit
    the data any more; where the champion has changed since, the answer is `inconclusive` and says so.
    """
    require_words(by, reason)
    ledger = Ledger.open(home)
    request = ledger.approval(attempt)
    if request.state == "waiting":
        refuse_other_schema(config, verified_model(home, request.pipeline, request.promotion.version))
    return carry_out(home, ledger.decide_approval(attempt, "approved", by, reason))


def reject(home: Home, attempt: str, by: str, reason: str) -> TrainOutcome:
    """Keep out what waits, in a person's name. Raises UsageError as `approve` does."""
    require_words(by, reason)
    return answer(home, Ledger.open(home).decide_approval(attempt, "rejected", by, reason))


def require_words(by: str, reason: str) -> None:
    """Raise UsageError where it is not said who decides, or why."""
    if not all(any(c.isprintable() and not c.isspace() for c in words) for words in (by, reason)):
        raise UsageError(
            "It is not said who decides, or why.", "`--by NAME --reason WHY`: the history tells both."
        )


def expire_approvals(home: Home) -> list[Approval]:
    """Keep out what nobody decided on in time; the requests as they were."""
    ledger = Ledger.open(home)
    late = ledger.overdue_approvals(now())
    for one in late:
        try:
            ledger.decide_approval(one.attempt, "expired", None, NOBODY)
        except UsageError:  # somebody did, in this moment
            log.info("Attempt %s was decided on in the last moment", one.attempt)
    return late


def finish_approvals(home: Home, pipeline: str) -> list[str]:
    """Carry out what was approved, where a crash came between; ids of the attempts.

    Raises StackError where a server did not answer about one, once all were tried.
    """
    finished, failure = [], None
    for one in Ledger.open(home).awaited_approvals(pipeline):
        try:
            if one.state == "approved":
                carry_out(home, one)
                finished.append(one.attempt)
        except StackError as error:
            log.warning("Attempt %s is approved and not carried out: %s", one.attempt, error)
            failure = error
    if failure is not None:
        raise failure
    return finished


def carry_out(home: Home, approval: Approval) -> TrainOutcome:
    """Promote what was approved, unless somebody did, or it was decided anew; what became of the attempt."""
    promotion = approval.promotion
    why = f"{promotion.why}; approved by {approval.by}: {approval.reason}"
    row = promotion.model_copy(update={"why": why, "approved_by": approval.by, "since": now()})
    with one_at_a_time(home, approval.pipeline, "approval"):
        if answer(home, approval).status == "awaiting_approval":
            try:
                promote(home, row)
            except PromotionConflict as conflict:
                reason = f"{conflict.message} {conflict.hint}"
                Ledger.open(home).abandon_approval(approval.attempt, reason)
        return answer(home, approval)


def answer(home: Home, approval: Approval) -> TrainOutcome:
    """The attempt's outcome, as it is stored."""
    outcome = Ledger.open(home).outcome(approval.attempt)
    assert outcome is not None  # noqa: S101  (stored with the request)
    return outcome
