"""A promotion goes through in full or leaves all as it was; what a crash left is finished or undone."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from pipelines.errors import PromotionConflict, StackError, UsageError
from pipelines.home import Home
from pipelines.ledger import Ledger
from pipelines.ledger.audit import export, find_fault
from pipelines.promotion import transaction
from pipelines.promotion.transaction import (
    challenge,
    promote,
    restore_champion,
    settle_pipeline,
    unsettled,
)
from pipelines.registry.mlflow_store import connect
from tests.pipelines.promotion.versions import NAME, add_version, aliases, plan, serving, told


def kinds(home: Home) -> list[str]:
    return [f"{entry.kind} {entry.subject}" for entry in Ledger.open(home).audit_log(NAME)]


def agree(home: Home, version: int | None) -> None:
    """One champion, one alias, one version that is served, all the same."""
    champion = Ledger.open(home).champion(NAME)
    assert (champion.version if champion else None, aliases(home).get("champion"), serving(home)) == (
        version,
        version,
        version,
    )
    assert unsettled(home) == []
    assert find_fault(export(Ledger.open(home).audit_log(NAME)).splitlines()) is None


def test_a_version_becomes_champion_everywhere(home: Home, service: str) -> None:
    add_version(home, 1)
    first = promote(home, plan(1, None), told(1))
    assert (first.state, first.undone) == ("confirmed", None)
    assert promote(home, plan(1, None), told(1)) == first
    agree(home, 1)
    add_version(home, 2)
    assert promote(home, plan(2, 1), told(2)).state == "confirmed"
    agree(home, 2)
    assert aliases(home) == {"champion": 2, "previous": 1}
    assert kinds(home)[-4:] == [
        "attempt ended trips-2",
        "promotion begun trips:2",
        "serving changed trips",
        "promotion confirmed trips:2",
    ]


def test_who_comes_second_is_told_to_be_judged_again(home: Home) -> None:
    for number in (1, 2, 3):
        add_version(home, number)
    promote(home, plan(1, None))
    promote(home, plan(2, 1))
    with pytest.raises(PromotionConflict, match="judged against champion 1, now it is 2"):
        promote(home, plan(3, 1))
    assert challenge(home, plan(3, 1), told(3)) is None
    again = challenge(home, plan(3, 2), told(3))
    assert again is not None
    agree(home, 3)


def test_other_answers_than_in_evaluation_undo_a_promotion(home: Home, service: str) -> None:
    """Also the first one: nothing is served then."""
    add_version(home, 1, answers=7.0)
    undone = promote(home, plan(1, None), told(1))
    assert undone.state == "reverted"
    assert "3 golden rows otherwise" in str(undone.undone)
    agree(home, None)
    outcome = Ledger.open(home).outcome("trips-1")
    assert outcome is not None
    assert (outcome.status, outcome.reason) == ("reverted", undone.undone)
    add_version(home, 2)
    add_version(home, 3, answers=7.0)
    promote(home, plan(2, None), told(2))
    assert promote(home, plan(3, 2), told(3)).state == "reverted"
    agree(home, 2)
    assert [p.version for p in Ledger.open(home).champions(NAME)] == [2]
    assert aliases(home) == {"champion": 2}


def test_a_version_that_does_not_load_undoes_its_promotion(
    home: Home, service: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The service tells; the version before answers all the while."""
    monkeypatch.setattr("pipelines.serving.client.GRACE_SECONDS", 0.1)
    add_version(home, 1)
    promote(home, plan(1, None))
    add_version(home, 2, answers="nonsense")
    undone = promote(home, plan(2, 1), told(2))
    assert undone.state == "reverted"
    assert "Version 2 of trips does not load: ValueError" in str(undone.undone)
    agree(home, 1)


@pytest.mark.parametrize("spoil", ["files", "deleted"])
def test_a_version_that_cannot_be_had_undoes_its_promotion(home: Home, spoil: str) -> None:
    add_version(home, 1)
    promote(home, plan(1, None))
    trained = add_version(home, 2)
    if spoil == "files":
        (Path(trained.folder) / "weights").write_text("3")
    else:
        connect(home).delete_model_version(NAME, "2")
    undone = promote(home, plan(2, 1), told(2))
    assert undone.state == "reverted"
    assert ("does not hand out" if spoil == "files" else "deleted in MLflow") in str(undone.undone)
    agree(home, 1)


def test_a_first_model_deleted_in_mlflow_whole_is_no_champion(home: Home) -> None:
    add_version(home, 1)
    Ledger.open(home).promote(plan(1, None), told(1))
    connect(home).delete_registered_model(NAME)
    settle_pipeline(home, NAME)
    [undone] = Ledger.open(home).promotions(NAME)
    assert (undone.state, serving(home)) == ("reverted", None)
    assert "deleted in MLflow" in str(undone.undone)


@pytest.mark.parametrize("left", [b"PAR1", None])
def test_golden_rows_that_cannot_be_read_undo_a_promotion(
    home: Home, service: str, left: bytes | None
) -> None:
    expected = Path(add_version(home, 1).folder).parent / "smoke" / "expected.parquet"
    if left is None:
        expected.unlink()
    else:
        expected.write_bytes(left)
    undone = promote(home, plan(1, None), told(1))
    assert "golden rows cannot be read at" in str(undone.undone)
    agree(home, None)


def test_without_golden_rows_the_version_counts_and_it_is_said(
    home: Home, service: str, caplog: pytest.LogCaptureFixture
) -> None:
    shutil.rmtree(Path(add_version(home, 1).folder).parent / "smoke")
    assert promote(home, plan(1, None), told(1)).state == "confirmed"
    assert "Version 1 of trips has no golden rows" in caplog.text


def test_a_service_that_does_not_answer_leaves_it_begun(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """It says nothing of the version: the next run goes on."""
    add_version(home, 1)
    monkeypatch.setattr("pipelines.serving.rollout.SECONDS", 0.1)
    monkeypatch.setenv("EVERGREEN_SERVING_URL", "http://127.0.0.1:9")
    with pytest.raises(StackError, match="does not answer"):
        promote(home, plan(1, None), told(1))
    assert unsettled(home) == [NAME]
    monkeypatch.setenv("EVERGREEN_SERVING_URL", "")
    add_version(home, 2)
    with pytest.raises(PromotionConflict, match="now it is 1"):
        promote(home, plan(2, None))  # what was left is finished first
    agree(home, 1)


class Crash(BaseException):
    """Nothing of ours catches it."""


def crash(*_words: object) -> None:
    raise Crash


@pytest.mark.parametrize(
    "step", ["verified_model", "point_aliases", "Ledger.serve", "watch_rollout", "Ledger.confirm"]
)
def test_what_a_crash_left_is_finished(home: Home, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    for number in (1, 2):
        add_version(home, number)
    promote(home, plan(1, None))
    with monkeypatch.context() as patch:
        patch.setattr(f"{transaction.__name__}.{step}", crash)
        with pytest.raises(Crash):
            promote(home, plan(2, 1), told(2))
    assert unsettled(home) == [NAME]
    settle_pipeline(home, NAME)
    agree(home, 2)


def test_what_a_crash_left_half_undone_is_undone(
    home: Home, service: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_version(home, 1)
    add_version(home, 2, answers=7.0)
    promote(home, plan(1, None))
    with monkeypatch.context() as patch:
        patch.setattr(f"{transaction.__name__}.Ledger.revert", crash)
        with pytest.raises(Crash):
            promote(home, plan(2, 1), told(2))
    settle_pipeline(home, NAME)
    agree(home, 1)


def test_alias_and_service_follow_the_champion_again(home: Home, service: str) -> None:
    for number in (1, 2):
        add_version(home, number)
    promote(home, plan(1, None))
    promote(home, plan(2, 1))
    connect(home).set_registered_model_alias(NAME, "champion", "1")
    shutil.rmtree(home.pipeline(NAME).models)
    assert restore_champion(home, NAME) == Ledger.open(home).champion(NAME)
    agree(home, 2)
    assert kinds(home)[-1] == "alias corrected trips@champion"


def test_an_alias_that_a_promotion_corrects_is_logged_once_and_by_who_goes_on_with_it(home: Home) -> None:
    for number in (1, 2, 3):
        add_version(home, number)
    promote(home, plan(1, None), told(1))
    connect(home).set_registered_model_alias(NAME, "champion", "2")
    promote(home, plan(1, None), told(1))  # asked for twice: it moves nothing
    assert kinds(home)[-1] == "promotion confirmed trips:1"
    Ledger.open(home).promote(plan(3, 1), told(3))  # and no further
    settle_pipeline(home, NAME)
    agree(home, 3)
    assert kinds(home).count("alias corrected trips@champion") == 1


def test_who_was_judged_earlier_and_had_to_wait_reigns_later(home: Home) -> None:
    add_version(home, 1)
    add_version(home, 2)
    early = plan(2, 1)
    first = promote(home, plan(1, None))
    assert promote(home, early).since > first.since > early.since


def test_a_version_that_reigned_keeps_its_row(home: Home) -> None:
    trained = add_version(home, 1)
    promote(home, plan(1, None))
    with pytest.raises(UsageError, match="Version 1 of trips was champion"):
        Ledger.open(home).record_version(trained.attempt, trained, 2)
    assert Ledger.open(home).trained(NAME, 1) == trained


def test_a_champion_deleted_in_mlflow_is_served_from_its_files(
    home: Home, service: str, caplog: pytest.LogCaptureFixture
) -> None:
    trained = add_version(home, 1)
    promote(home, plan(1, None))
    connect(home).delete_model_version(NAME, "1")
    shutil.rmtree(Path(trained.folder))
    restore_champion(home, NAME)
    assert "deleted in MLflow" in caplog.text
    assert serving(home) == 1
