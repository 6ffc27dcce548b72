"""A promotion waits for a person, who decides once; nobody's silence promotes nothing."""

from __future__ import annotations

import shutil
from datetime import timedelta
from typing import Any

import pytest
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from evergreen import views
from pipelines.errors import StackError, UsageError
from pipelines.home import Home
from pipelines.ledger import Ledger
from pipelines.outcomes import close_promotion, keep_out
from pipelines.promotion import approval, transaction
from pipelines.promotion.aliases import follow_challenger
from pipelines.promotion.approval import (
    approve,
    carry_out,
    expire_approvals,
    finish_approvals,
    reject,
    render_approvals,
    request_approval,
)
from pipelines.promotion.choosing import choose_version
from pipelines.promotion.transaction import promote
from pipelines.records import Approval
from pipelines.registry.mlflow_store import connect
from tests.pipelines.promotion.test_transaction import agree, kinds
from tests.pipelines.promotion.versions import CONFIG, NAME, add_version, aliases, plan, told

WEEK = CONFIG.model_validate(CONFIG.model_dump() | {"gates": {"approval": {"expires": "7 days"}}})
FIRST, SECOND = "trips-1", "trips-2"


def ask(home: Home, version: int = 1, previous: int | None = None) -> Approval:
    add_version(home, version)
    return request_approval(WEEK, home, plan(version, previous), told(version))


def status(home: Home, attempt: str) -> tuple[str, str | None]:
    outcome = Ledger.open(home).outcome(attempt)
    assert outcome is not None
    return outcome.status, outcome.reason


def waiting(home: Home) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = views.describe_status(home)["pipelines"][0]["waiting"]
    return found


def test_it_waits_and_is_promoted_in_the_name_of_who_approves(home: Home) -> None:
    request = ask(home)
    assert request.expires - request.requested == timedelta(days=7)
    assert status(home, FIRST)[0] == "awaiting_approval"
    assert Ledger.open(home).champion("trips") is None
    assert f"evergreen approve {FIRST}" in render_approvals([request])

    outcome = approve(home, WEEK, FIRST, "Ada", "checked the slices")
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
        approve(home, WEEK, FIRST, "Bob", "why not")
    with pytest.raises(UsageError, match="No attempt trips-9 waits"):
        approve(home, WEEK, "trips-9", "Bob", "why not")
    assert Ledger.open(home).champion("trips") is None


def test_asked_again_it_has_no_more_time(home: Home) -> None:
    first = ask(home)
    again = request_approval(WEEK, home, plan(1, None), told(1))
    assert again.expires == first.expires


def test_silence_keeps_it_out(
    home: Home, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    late = ask(home).expires
    assert expire_approvals(home) == []
    assert [one["expired"] for one in waiting(home)] == [False]
    for module in (approval, views):
        monkeypatch.setattr(module, "now", lambda: late)
    assert [one["expired"] for one in waiting(home)] == [True]  # also before maintenance comes
    views.show_status(views.describe_status(home))
    said = capsys.readouterr().out
    assert "version 1 expired on" in said
    assert "evergreen approve" not in said
    assert [one.attempt for one in expire_approvals(home)] == [FIRST]
    assert waiting(home) == []
    with pytest.raises(UsageError, match="was expired on"):
        approve(home, WEEK, FIRST, "Ada", "too late")
    assert status(home, FIRST) == ("rejected", "nobody decided in time")
    assert Ledger.open(home).champion("trips") is None


def test_judged_against_another_champion_it_is_to_be_judged_again(home: Home) -> None:
    ask(home)
    add_version(home, 2)
    promote(home, plan(2, None), told(2))
    outcome = approve(home, WEEK, FIRST, "Ada", "looks good")
    assert outcome.status == "inconclusive"
    assert "judged against" in str(outcome.reason)
    agree(home, 2)


def test_a_decision_that_a_crash_cut_off_is_carried_out(home: Home) -> None:
    ask(home)
    Ledger.open(home).decide_approval(FIRST, "approved", "Ada", "fine")
    assert finish_approvals(home, "trips") == [FIRST]
    assert finish_approvals(home, "trips") == []
    assert status(home, FIRST)[0] == "promoted"
    agree(home, 1)
    ask(home, 2, 1)
    ledger = Ledger.open(home)
    ledger.decide_approval(SECOND, "approved", "Ada", "fine")
    request_approval(WEEK, home, plan(2, 1), told(2))  # by a training that came first
    assert ledger.approval(SECOND).state == "approved"
    assert approve(home, WEEK, SECOND, "Bob", "again").status == "promoted"
    agree(home, 2)


def test_chosen_by_hand_it_is_approved(home: Home) -> None:
    ask(home)
    choose_version(home, WEEK, 1, None, "Bob")
    assert status(home, FIRST)[0] == "promoted"
    request = Ledger.open(home).approval(FIRST)
    assert (request.state, request.by) == ("approved", "Bob")
    with pytest.raises(UsageError, match="was approved by Bob"):
        reject(home, FIRST, "Ada", "no")


def test_judged_again_and_kept_out_it_waits_no_more(home: Home) -> None:
    ask(home)
    keep_out(home, told(1), "fail", {})
    with pytest.raises(UsageError, match="was rejected"):
        approve(home, WEEK, FIRST, "Ada", "fine")
    assert Ledger.open(home).champion("trips") is None


def test_it_fits_the_data_of_today_and_says_who(home: Home) -> None:
    ask(home)
    close_promotion(home, plan(1, None), {"train": 3.0})
    request_approval(WEEK, home, plan(1, None), told(1).model_copy(update={"seconds": {"train": 3.0}}))
    assert kinds(home).count("approval asked trips-1") == 1
    for nobody in (" ", "\u200b"):
        with pytest.raises(UsageError, match="not said who"):
            approve(home, WEEK, FIRST, nobody, "fine")
    columns = {"columns": {"z": {"type": "number"}, "y": {"type": "number"}}}
    with pytest.raises(UsageError, match="does not fit the data"):
        approve(home, CONFIG.model_validate(CONFIG.model_dump() | columns), FIRST, "Ada", "fine")
    assert approve(home, WEEK, FIRST, "Ada", "fine").seconds == {"train": 3.0}


def test_approved_twice_it_is_promoted_once(home: Home) -> None:
    ask(home)
    one = Ledger.open(home).decide_approval(FIRST, "approved", "Ada", "fine")
    shutil.rmtree(home.pipeline("trips").attempts / FIRST / "bundle")
    assert [carry_out(home, one).status, carry_out(home, one).status] == ["reverted", "reverted"]
    assert len(Ledger.open(home).promotions("trips")) == 1


def test_the_alias_challenger_and_the_page_say_who_waits(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    def say() -> tuple[int | None, str]:
        follow_challenger(home, NAME)
        return aliases(home).get("challenger"), render_approvals(Ledger.open(home).approvals(pipeline=NAME))

    assert render_approvals([]) == ""
    ask(home)
    late = ask(home, 2).expires
    assert say()[0] == 2
    reject(home, SECOND, "Ada", "the <b> rows are wrong")
    challenger, page = say()
    assert challenger == 1
    assert "Version 1 of trips waits" in page
    assert "Version 2 was rejected by Ada on" in page
    assert "the &lt;b&gt; rows are wrong" in page
    monkeypatch.setattr(approval, "now", lambda: late)
    expire_approvals(home)
    challenger, page = say()
    assert challenger is None
    assert page.startswith("Version 1 was expired on")
    request_approval(WEEK, home, plan(2, None), told(2))
    connect(home).delete_model_version(NAME, "2")
    assert say()[0] is None
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    follow_challenger(home, NAME)  # it is said, and stops nobody


def test_a_server_that_goes_away_while_the_alias_is_set_stops_nobody(
    home: Home, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def gone(*_: Any) -> None:
        raise MlflowException("Connection refused")

    ask(home)
    connect(home).delete_registered_model_alias(NAME, "challenger")
    monkeypatch.setattr(MlflowClient, "set_registered_model_alias", gone)
    follow_challenger(home, NAME)
    assert "Connection refused" in caplog.text


def test_a_server_that_is_away_for_one_does_not_hold_up_the_others(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = transaction.watch_rollout

    def away(*_words: Any) -> None:
        monkeypatch.setattr(transaction, "watch_rollout", answers)
        raise StackError("the service does not answer")

    ledger = Ledger.open(home)
    for version, attempt in ((1, FIRST), (2, SECOND)):
        ask(home, version)
        ledger.decide_approval(attempt, "approved", "Ada", "fine")
    monkeypatch.setattr(transaction, "watch_rollout", away)
    with pytest.raises(StackError, match="does not answer"):
        finish_approvals(home, NAME)
    assert (status(home, FIRST)[0], status(home, SECOND)[0]) == ("promoted", "inconclusive")
    assert finish_approvals(home, NAME) == []
    agree(home, 1)
