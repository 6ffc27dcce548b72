"""A promotion waits for a person, who decides once; nobody's silence promotes nothing."""

from __future__ import annotations

from datetime import timedelta

import pytest

from pipelines.errors import UsageError
from pipelines.home import Home
from pipelines.ledger import Ledger
from pipelines.promotion import approval
from pipelines.promotion.approval import (
    approve,
    expire_approvals,
    finish_approvals,
    reject,
    render_approval,
    request_approval,
)
from pipelines.promotion.transaction import promote
from pipelines.records import Approval
from tests.pipelines.promotion.test_transaction import agree, kinds
from tests.pipelines.promotion.versions import CONFIG, add_version, plan, told

WEEK = CONFIG.model_validate(CONFIG.model_dump() | {"gates": {"approval": {"expires": "7 days"}}})
FIRST, SECOND = "trips-1", "trips-2"


def ask(home: Home, version: int = 1, previous: int | None = None) -> Approval:
    add_version(home, version)
    return request_approval(WEEK, home, plan(version, previous), told(version))


def status(home: Home, attempt: str) -> tuple[str, str | None]:
    outcome = Ledger.open(home).outcome(attempt)
    assert outcome is not None
    return outcome.status, outcome.reason


def test_it_waits_and_is_promoted_in_the_name_of_who_approves(home: Home) -> None:
    request = ask(home)
    assert request.expires - request.requested == timedelta(days=7)
    assert status(home, FIRST)[0] == "awaiting_approval"
    assert Ledger.open(home).champion("trips") is None
    assert f"evergreen approve {FIRST}" in render_approval(request)

    outcome = approve(home, FIRST, "Ada", "checked the slices")
    assert outcome.status == "promoted"
    champion = Ledger.open(home).champion("trips")
    assert champion is not None
    assert (champion.approved_by, champion.state) == ("Ada", "confirmed")
    assert "approved by Ada: checked the slices" in champion.why
    assert Ledger.open(home).approvals("waiting") == []
    assert {"approval asked trips-1", "approval approved trips-1"} <= set(kinds(home))
    agree(home, 1)


def test_it_is_decided_once(home: Home) -> None:
    ask(home)
    assert reject(home, FIRST, "Ada", "the holiday rows are wrong").status == "rejected"
    assert status(home, FIRST) == ("rejected", "rejected by Ada: the holiday rows are wrong")
    with pytest.raises(UsageError, match=r"was rejected by Ada on .*: the holiday rows are wrong"):
        approve(home, FIRST, "Bob", "why not")
    with pytest.raises(UsageError, match="No attempt trips-9 waits"):
        approve(home, "trips-9", "Bob", "why not")
    assert Ledger.open(home).champion("trips") is None


def test_asked_again_it_has_no_more_time(home: Home) -> None:
    first = ask(home)
    again = request_approval(WEEK, home, plan(1, None), told(1))
    assert again.expires == first.expires


def test_silence_keeps_it_out(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    late = ask(home).expires
    assert expire_approvals(home) == []
    monkeypatch.setattr(approval, "now", lambda: late)
    with pytest.raises(UsageError, match="was expired on"):
        approve(home, FIRST, "Ada", "too late")
    assert status(home, FIRST) == ("rejected", "nobody decided in time")
    assert Ledger.open(home).champion("trips") is None


def test_judged_against_another_champion_it_is_to_be_judged_again(home: Home) -> None:
    ask(home)
    add_version(home, 2)
    promote(home, plan(2, None), told(2))
    outcome = approve(home, FIRST, "Ada", "looks good")
    assert outcome.status == "inconclusive"
    assert "judged against" in str(outcome.reason)
    agree(home, 2)


def test_a_decision_that_a_crash_cut_off_is_carried_out(home: Home) -> None:
    ask(home)
    Ledger.open(home).decide_approval(FIRST, "approved", "Ada", "fine")
    assert finish_approvals(home) == [FIRST]
    assert finish_approvals(home) == []
    assert status(home, FIRST)[0] == "promoted"
    agree(home, 1)
    ask(home, 2, 1)
    Ledger.open(home).decide_approval(SECOND, "rejected", "Ada", "no")
    assert finish_approvals(home) == [SECOND]
    assert status(home, SECOND) == ("rejected", "rejected by Ada: no")
