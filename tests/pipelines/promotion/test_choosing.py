"""A person decides: any registered version that fits the data; a moved alias is accepted or undone."""

from __future__ import annotations

import logging
import shutil
from pathlib import Path

import pytest

from evergreen import views
from pipelines.errors import ModelUnusable, PromotionReverted, UsageError
from pipelines.home import Home
from pipelines.ledger import Ledger
from pipelines.promotion.aliases import describe_alias
from pipelines.promotion.champion import champion_to_beat, require_champion, verified_model
from pipelines.promotion.choosing import choose_version, previous_version, roll_back
from pipelines.promotion.transaction import promote, restore_champion, settle_pipeline
from pipelines.registry.mlflow_store import connect
from tests.pipelines.promotion.versions import CONFIG, NAME, add_version, aliases, plan, serving, told


@pytest.fixture
def champions(home: Home) -> Home:
    """Three versions, each champion in its time; a fourth that never was."""
    for number in (1, 2, 3, 4):
        add_version(home, number)
    ledger = Ledger.open(home)
    for number, previous in ((1, None), (2, 1)):
        ledger.confirm(ledger.promote(plan(number, previous), told(number)))
    promote(home, plan(3, 2), told(3))
    return home


def test_back_to_any_earlier_champion(champions: Home) -> None:
    ledger = Ledger.open(champions)
    back = roll_back(champions, CONFIG, None, None, "ada")
    assert (back.version, back.why, back.approved_by, back.state) == (
        2,
        "rolled back by hand",
        "ada",
        "confirmed",
    )
    assert roll_back(champions, CONFIG, 1, "the best so far", "ada").version == 1
    assert [p.version for p in ledger.champions(NAME)] == [1, 2, 3, 2, 1]
    assert (aliases(champions), serving(champions)) == ({"champion": 1, "previous": 2}, 1)
    assert choose_version(champions, CONFIG, 1, "again").seq == 5
    with pytest.raises(UsageError, match=r"Version 4 of trips never was champion \(champions: 1, 2, 3\)"):
        roll_back(champions, CONFIG, 4, None)
    assert choose_version(champions, CONFIG, 4, "I like it").why == "I like it"
    with pytest.raises(UsageError, match=r"no version 9 \(versions: 1, 2, 3, 4\)"):
        choose_version(champions, CONFIG, 9, None)


def test_without_an_earlier_champion_there_is_no_way_back(home: Home) -> None:
    with pytest.raises(UsageError, match="no champion yet"):
        require_champion(home, NAME)
    with pytest.raises(UsageError, match="no champion yet"):
        restore_champion(home, NAME)
    add_version(home, 1)
    assert describe_alias(home, NAME) is None
    connect(home).set_registered_model_alias(NAME, "champion", "1")  # by who thinks that this is the way
    assert "given to version 1 in MLflow; there is no champion" in str(describe_alias(home, NAME))
    assert restore_champion(home, NAME, "a wrong click", "ada") is None
    assert aliases(home) == {}
    promote(home, plan(1, None))
    with pytest.raises(UsageError, match="no earlier champion"):
        previous_version(home, NAME)


def test_a_version_that_does_not_fit_the_data_is_refused_with_its_columns(home: Home) -> None:
    add_version(home, 1, types={"x": "category", "zone": "category", "y": "number"})
    promote(home, plan(1, None))
    add_version(home, 2)
    promote(home, plan(2, 1))
    with pytest.raises(UsageError) as refused:
        roll_back(home, CONFIG, None, None)
    assert "needs zone, which the definition does not have" in refused.value.message
    assert "x (category then, number now)" in refused.value.message
    assert serving(home) == 2


def test_what_does_not_answer_is_told_and_undone(home: Home, service: str) -> None:
    add_version(home, 1)
    promote(home, plan(1, None), told(1))
    add_version(home, 2, answers=7.0)
    with pytest.raises(PromotionReverted, match="3 golden rows otherwise") as undone:
        choose_version(home, CONFIG, 2, None)
    assert "version 1 is served" in undone.value.hint
    assert serving(home) == 1
    assert Ledger.open(home).outcome("trips-2") is None  # a person's wish is no end of the attempt


def test_a_swapped_file_is_refused_before_anything_is_read(champions: Home, service: str) -> None:
    """Everywhere that the version could come from."""
    ledger = Ledger.open(champions)
    verified_model(champions, NAME, 2)
    for folder in (
        Path(ledger.trained(NAME, 2).folder),
        champions.pipeline(NAME).models / "2",
    ):
        (folder / "weights").write_text("666")
    with pytest.raises(ModelUnusable):
        roll_back(champions, CONFIG, 2, None)
    assert serving(champions) == 3


def test_a_champion_that_no_longer_loads_can_still_be_named(champions: Home, service: str) -> None:
    trained = Ledger.open(champions).trained(NAME, 3)
    for folder in (Path(trained.folder), champions.pipeline(NAME).models / "3"):
        (folder / "weights").write_text("666")
    beaten = champion_to_beat(champions, NAME)
    assert beaten is not None
    assert (beaten.version, beaten.files) == (3, trained.files)
    assert beaten.snapshot is not None  # by which rows that it learnt are known
    assert (beaten.snapshot.version, beaten.definition) == (3, CONFIG.model_dump(mode="json"))
    with pytest.raises(ModelUnusable):
        restore_champion(champions, NAME)
    assert roll_back(champions, CONFIG, None, None).version == 2


# ------------------------------------------------------------------------------------------------ aliases


def test_an_alias_moved_by_hand_is_noticed_and_accepted(
    champions: Home, caplog: pytest.LogCaptureFixture
) -> None:
    assert describe_alias(champions, NAME) is None
    connect(champions).set_registered_model_alias(NAME, "champion", "4")
    words = "moved in MLflow to version 4; version 3 is champion"
    with caplog.at_level(logging.WARNING):
        told_to = settle_pipeline(champions, NAME)  # maintenance, and each training before it begins
    assert words in caplog.text
    assert words in str(told_to)
    [told_of] = views.describe_status(champions)["pipelines"]
    assert words in told_of["alias"]
    assert "`evergreen deploy trips --version 4` accepts" in told_of["alias"]
    assert (aliases(champions)["champion"], serving(champions)) == (4, 3)
    accepted = choose_version(champions, CONFIG, 4, None, "ada")
    assert (accepted.why, accepted.approved_by) == (
        "the alias was moved to it in MLflow, and that was accepted",
        "ada",
    )
    assert (describe_alias(champions, NAME), serving(champions)) == (None, 4)


def test_an_alias_moved_by_hand_is_undone(champions: Home) -> None:
    connect(champions).set_registered_model_alias(NAME, "champion", "1")
    choose_version(champions, CONFIG, 3, "a wrong click", "ada")
    assert describe_alias(champions, NAME) is None
    connect(champions).delete_registered_model_alias(NAME, "champion")
    assert "taken away in MLflow; version 3 is champion" in str(describe_alias(champions, NAME))
    restore_champion(champions, NAME)
    assert aliases(champions)["champion"] == 3
    found = [e.body for e in Ledger.open(champions).audit_log(NAME) if e.kind == "alias corrected"]
    assert [(body["found"], body["why"], body["by"]) for body in found[-2:]] == [
        (1, "a wrong click", "ada"),
        (None, None, None),
    ]


def test_a_person_s_choice_comes_after_what_was_left_half_done(champions: Home) -> None:
    Ledger.open(champions).promote(plan(4, 3), told(4))
    shutil.rmtree(Ledger.open(champions).trained(NAME, 4).folder)
    assert choose_version(champions, CONFIG, 1, None, "ada").previous == 3


def test_a_version_deleted_in_mlflow(champions: Home) -> None:
    connect(champions).delete_model_version(NAME, "1")
    with pytest.raises(UsageError, match="Version 1 of trips was deleted in MLflow"):
        roll_back(champions, CONFIG, 1, None)
    connect(champions).delete_model_version(NAME, "3")
    assert "Version 3 of trips is champion and was deleted in MLflow" in str(describe_alias(champions, NAME))
    assert require_champion(champions, NAME).version == 3  # from its own files
    assert roll_back(champions, CONFIG, None, None).version == 2
    assert describe_alias(champions, NAME) is None


def test_an_mlflow_that_does_not_answer_stops_no_status(
    champions: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    [found] = views.describe_status(champions)["pipelines"]
    assert (found["champion"], found["alias"]) == (
        3,
        "MLflow does not answer at http://127.0.0.1:9. `evergreen up` starts the stack.",
    )
    views.show_status(views.describe_status(champions))
