"""A card says what is stored, and what is not; in MLflow, too. Nothing that came from data is obeyed."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from pipelines.audit.gather import gather_evidence
from pipelines.audit.reproductions import keep_reproduction
from pipelines.audit.scoring import answer_all
from pipelines.cards.card import ModelCard, gather_card
from pipelines.cards.publish import card_page, publish_card, publish_cards, write_card
from pipelines.cards.render import render_markdown, render_page, render_short
from pipelines.cards.sections import card_sections
from pipelines.config import PipelineConfig
from pipelines.errors import UsageError
from pipelines.home import Home
from pipelines.ledger import Ledger
from pipelines.promotion.approval import reject, request_approval
from pipelines.promotion.champion import recorded_model
from pipelines.promotion.choosing import choose_version, roll_back
from pipelines.records import Comparison, Cost, RowCounts
from pipelines.registry.mlflow_store import connect, experiment_id
from pipelines.reproduction import Reproduction, SameWeights
from pipelines.training.folder import AttemptFolder
from tests.pipelines.audit.made_up import NOON, WEEK, evaluation, promotion, version
from tests.pipelines.promotion.versions import CONFIG, NAME, add_version, plan, told

WEEKLY = CONFIG.model_validate(CONFIG.model_dump() | {"gates": {"approval": {"expires": "7 days"}}})
EVIL = "<img src=x onerror=alert(1)> | [x](javascript:a)\x1b[31m\n# head"


def card(**changed: Any) -> ModelCard:
    found: dict[str, Any] = {
        "pipeline": "rides",
        "written": NOON,
        "metric": "rmse",
        "target": "rides",
        "intended_use": ["planning of shifts"],
        "limits": ["no holidays"],
        "version": version(2, cost=Cost(cpu_seconds=12.5, processes=1)),
        "types": {"zone": "category", "price": "number"},
        "rows": RowCounts(read=2_003, known=0, accepted=2_000, quarantined=3),
        "batches": 1,
        "sources": ["data/week-01.csv"],
    }
    return ModelCard(**found | changed)


def text_of(card: ModelCard, title: str) -> str:
    section = next(s for s in card_sections(card) if s.title == title)
    return " / ".join([*section.words, *(" ".join(row) for row in section.rows)])


@pytest.mark.parametrize(
    ("title", "words"),
    [
        ("Model details", "12.5 CPU s"),
        ("Intended use", "planning of shifts"),
        ("Training data", "read 2,003 = 0 known + 2,000 accepted + 3 quarantined"),
        ("Training data", "zone category"),
        ("Evaluation data", "400 rows that it has not learnt from"),
        ("Metrics", "rmse 5.00 (95 % from 4.50 to 5.60) 8.00; better by 3.00"),
        ("Slices", "zone = north named 40"),
        ("Fairness", "lowest over highest selection rate 0.400 ± 0.040"),
        ("Robustness", "missing zone 0.200"),
        ("What it rests on", "zone 1.00 ± 0.200 0.500 0.30"),
        ("Footprint", "one row in 1 ms"),
        ("Gates", "baseline pass better by 3"),
        ("Limits", "no holidays"),
        ("Lineage", "rides@2"),
        ("Decisions", "confirmed Ada passed baseline"),
    ],
)
def test_a_card_says_what_is_stored(title: str, words: str) -> None:
    assert words in text_of(card(), title)


def test_what_nobody_wrote_or_measured_is_said() -> None:
    bare = card(
        intended_use=[],
        limits=[],
        version=version(2, evaluation=evaluation(slices=[], fairness=[]), outcome=None, reigns=[]),
    )
    assert "Nobody has written any" in text_of(bare, "Intended use")
    assert "Nobody has written any" in text_of(bare, "Limits")
    assert [text_of(bare, name) for name in ("Slices", "Fairness", "Gates")] == ["Not measured."] * 3
    assert "never was champion" in text_of(bare, "Decisions")
    gone = card(version=version(2, evaluation=None))
    assert "does not have it any more" in text_of(gone, "Evaluation")
    assert render_page(gone)


def test_a_card_has_both_models_on_the_same_rows() -> None:
    compared = Comparison(
        champion_version=1, rows=300, left_out=100, metrics={"rmse": 4.0}, champion_metrics={"rmse": 6.0}
    )
    [found] = [
        s
        for s in card_sections(card(version=version(2, evaluation=evaluation(comparison=compared))))
        if s.title == "Metrics"
    ]
    assert found.head[-2:] == ["this version, on 300 rows", "champion, version 1, on 300 rows"]
    assert found.rows[0][-2:] == ["4.00", "6.00"]


def test_a_card_says_who_decided_and_until_when_it_was_champion() -> None:
    reigns = [promotion(1, 2), promotion(3, 2, cause=None, approved_by=None, until=NOON + 9 * WEEK)]
    old = card(version=version(2, reigns=[reigns[0].model_copy(update={"approved_by": None}), reigns[1]]))
    assert "confirmed the gates" in text_of(old, "Decisions")
    assert "confirmed a person" in text_of(old, "Decisions")
    assert "champion from 22 May 2026, 12:00 until 3 Jul 2026, 12:00 UTC." in render_short(old)


def test_nothing_that_came_from_data_is_obeyed() -> None:
    slices = [evaluation().slices[0].model_copy(update={"name": EVIL, "found": True})]
    evil = card(
        intended_use=[EVIL],
        target=EVIL,
        sources=[EVIL],
        types={EVIL: "number"},
        version=version(2, kind=EVIL, evaluation=evaluation(slices=slices)),
    )
    for text in (render_markdown(evil), render_page(evil), render_short(evil)):
        assert "<img" not in text
        assert "\x1b" not in text
    for text in (render_markdown(evil), render_short(evil)):
        assert "[x](" not in text
        assert "\n# head" not in text
    assert "worse than elsewhere where" in text_of(evil, "Limits")


# ------------------------------------------------------------------------------------------------ stored


@pytest.fixture
def home(tmp_path: Path, empty_store: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    """Version 1 is registered, with its run and its evaluation, and champion."""
    for name in ("MLFLOW_TRACKING_URI", "EVERGREEN_SERVING_URL"):
        monkeypatch.setenv(name, "")
    home = Home(tmp_path / "home")
    home.mlflow.mkdir(parents=True)
    shutil.copyfile(empty_store, home.mlflow / "mlflow.db")
    (tmp_path / "pipeline.yaml").write_text(CONFIG.model_dump_json(exclude={"folder"}))
    ledger = Ledger.open(home)
    ledger.name_pipeline(NAME, tmp_path / "pipeline.yaml")
    trained = add_version(home, 1)
    client = connect(home)
    run = client.create_run(experiment_id(client, home, NAME)).info.run_id
    AttemptFolder(Path(trained.folder).parent).keep_evaluation(evaluation(metrics={"rmse": float("inf")}))
    ledger.confirm(ledger.promote(plan(1, None), told(1).model_copy(update={"model": {"run_id": run}})))
    return home


def test_the_card_is_in_mlflow_with_the_versions_run(home: Home) -> None:
    """By the metric that it was judged by, whatever the definition asks for today."""
    page = publish_card(home, used_for(["counting"]).model_copy(update={"metric": "mae"}), 1)
    assert page.with_suffix(".md").read_text().startswith("# Model card: trips, version 1")
    client = connect(home)
    found = client.get_model_version(NAME, "1")
    assert "Intended use: counting" in found.description
    assert "rmse 5.00" in found.description
    run = Ledger.open(home).outcome(f"{NAME}-1")
    assert run is not None
    assert {a.path for a in client.list_artifacts(str(run.model["run_id"]))} == {
        "model_card.md",
        "model_card.html",
    }


def used_for(words: list[str]) -> PipelineConfig:
    return PipelineConfig.model_validate(CONFIG.model_dump() | {"evaluation": {"intended_use": words}})


def test_a_card_that_mlflow_does_not_take_is_written_all_the_same(
    home: Home, caplog: pytest.LogCaptureFixture
) -> None:
    connect(home).delete_model_version(NAME, "1")
    assert publish_card(home, CONFIG, 1).exists()
    assert "not in MLflow" in caplog.text


def test_cards_are_written_anew_when_another_is_champion_or_a_person_has_decided(
    home: Home, caplog: pytest.LogCaptureFixture
) -> None:
    def since(version: int) -> str:
        return card_page(home, NAME, version).with_suffix(".md").read_text()

    assert publish_cards(home, NAME) == [card_page(home, NAME, 1)]
    assert publish_cards(home, NAME) == []
    before = connect(home).get_model_version(NAME, "1").description
    add_version(home, 2)
    request_approval(WEEKLY, home, plan(2, 1), told(2))
    assert publish_cards(home, NAME) == [card_page(home, NAME, 2)]
    assert "A person was asked: waiting." in since(2)
    reject(home, f"{NAME}-2", "Ada", "a guess")
    publish_cards(home, NAME)
    assert "rejected by Ada: a guess" in since(2)
    choose_version(home, CONFIG, 2, None, "Bob")
    assert publish_cards(home, NAME) == [card_page(home, NAME, number) for number in (1, 2)]
    assert "champion since" in before
    assert "until" in connect(home).get_model_version(NAME, "1").description
    assert "| confirmed | Bob | chosen by hand |" in since(2)
    roll_back(home, CONFIG, 1, None, "Ada")
    (home.root.parent / "pipeline.yaml").unlink()
    assert publish_cards(home, NAME) == []
    assert "The card of version 1 of trips is not up to date" in caplog.text


def test_a_card_that_mlflow_has_not_got_yet_is_sent_when_it_answers_again(
    home: Home, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    write_card(home, CONFIG, 1)  # as a report does, which sends nothing
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    assert publish_cards(home, NAME) == []
    assert "does not answer" in caplog.text
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "")
    assert publish_cards(home, NAME) == [card_page(home, NAME, 1)]
    assert connect(home).get_model_version(NAME, "1").description


def test_a_version_that_is_not_there_has_no_card(home: Home) -> None:
    with pytest.raises(UsageError, match="no version 7"):
        write_card(home, CONFIG, 7)


def test_the_evidence_is_gathered_from_what_is_stored(home: Home) -> None:
    again = Reproduction(
        pipeline=NAME,
        version=1,
        attempt=f"{NAME}-1",
        weights=SameWeights(equal=True, files={}, largest_difference=0.0),
        metrics={},
        environment={},
        seconds=1.0,
    )
    keep_reproduction(home, again)
    ledger = Ledger.open(home)
    served = recorded_model(home, NAME, 1)
    ledger.serve(served)
    unseen = ledger.promote(plan(2, 1))
    ledger.revert(unseen, "a file is another", served)
    undone = ledger.promote(plan(2, 1))
    ledger.serve(served.model_copy(update={"version": 2}))
    ledger.revert(undone, "it does not load", served)
    found = gather_evidence(home, CONFIG)
    assert found.taken_back == [undone.seq]
    assert found.champion is not None
    assert found.champion.inputs == ["x"]
    assert found.champion.evaluation is not None
    assert found.champion.evaluation.metrics == {"rmse": float("inf")}
    assert [(r.version, r.agrees) for r in found.reproductions] == [(1, True)]
    assert found.places["columns"].endswith("pipeline.yaml, line 1")
    answers = {a.test: a for a in answer_all(found).answers}
    assert answers["reproduction"].answer == "automated"
    assert gather_card(home, CONFIG, 1).reproductions == found.reproductions
