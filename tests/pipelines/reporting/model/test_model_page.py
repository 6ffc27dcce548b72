"""The page of a model is complete, harmless, and has no part of which nothing was measured."""

from __future__ import annotations

import math
import re
from pathlib import Path

import pytest

from pipelines.cards.publish import card_page
from pipelines.clock import now
from pipelines.errors import UsageError
from pipelines.home import Home
from pipelines.ledger import Ledger
from pipelines.records import (
    Attempt,
    Baseline,
    Cause,
    Confusion,
    Curve,
    GateVerdict,
    Importance,
    NoComparison,
    Plots,
    Probe,
    Promotion,
    SliceMetric,
    Snapshot,
    Task,
    TrainedModel,
    TrainOutcome,
)
from pipelines.reporting.model import ModelStory, render_model
from pipelines.reporting.model.confusion import confusion_view
from pipelines.reporting.model.gather import model_page, write_model, write_version
from pipelines.training.folder import AttemptFolder
from tests.pipelines.reporting.model.stories import around, bare, better, evaluation, fairness, story
from tests.pipelines.reporting.outline import outline

ALL = [
    "gates",
    "metrics",
    "better",
    "curves",
    "slices",
    "fairness",
    "importances",
    "probes",
    "footprint",
    "facts",
]
NASTY = "<script>alert('x')</script>\x1b[31m" + "w" * 300


def sections(page: str) -> list[str]:
    return re.findall(r'<h2 id="h-(\w+)"', page)


@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
def test_a_task_has_its_sections(task: Task) -> None:
    page = render_model(story(evaluation(task)))
    found = outline(page)
    assert "script" not in found.seen
    assert not {"src", "onload", "onclick"} & found.attributes
    assert found.links == ["http://127.0.0.1:5000/#/experiments/1/runs/abc"]
    assert sections(page) == [name for name in ALL if name != "fairness" or task == "binary"]
    figures = re.findall(r"<figcaption><h3>([^<]*)", page)
    assert figures == (
        ["Errors", "Errors over predictions"]
        if task == "regression"
        else ["ROC", "Precision and recall", "Calibration", "Confusion"]
    )
    assert ("What its answers to 60 of the test rows look like." in page) == (task == "regression")
    assert "nan" not in page.lower().replace("finance", "")


def test_what_does_not_pass_stands_on_top() -> None:
    page = render_model(story(evaluation()))
    assert "Of 3 gates 1 failed, 1 could not decide." in page
    order = [page.index(f"<b>{name}</b>") for name in ("threshold:auc", "champion", "smoke")]
    assert order == sorted(order)
    good = story(evaluation()).model_copy(update={"gates": story(evaluation()).gates[:1] * 2})
    assert "All 2 gates passed." in render_model(good)
    waits = render_model(good.model_copy(update={"waiting": True}))
    assert "All 2 gates passed; it waits for a person to approve it." in waits


def test_values_are_as_exact_as_their_intervals() -> None:
    found = evaluation()
    update = {"metrics": {"auc": 0.912345}, "intervals": {"auc": around(0.912345, 0.0042)}}
    page = render_model(story(found.model_copy(update=update)))
    assert "<b>0.9123</b>" in page
    assert "0.9081 to 0.9165" in page
    # Named beside its value, as every baseline is; and this model on the rows that are the champion's.
    assert "champion, version 2, on 1,931 rows</dt><dd>0.7900</dd>" in page
    assert "this model, on 1,931 rows</dt><dd>0.8000</dd>" in page


def test_a_page_of_nothing_measured_is_sound() -> None:
    page = render_model(ModelStory(pipeline="rides", evaluation=bare(), gates=[], generated=now()))
    outline(page)
    assert sections(page) == []
    assert "No gate has judged it" in page


def test_odd_values_do_not_break_it() -> None:
    nan, none = math.nan, Curve(x=[], y=[])
    odd = evaluation().model_copy(
        update={
            "metrics": {"auc": nan, "brier": 1e300, "f1": 0.0},
            "intervals": {"auc": around(nan), "brier": around(1e300, 1e299), "f1": around(0.0, 0.0)},
            "baselines": [Baseline(name="b", metrics={"auc": math.inf}, differences={"auc": better(nan)})]
            * 5,
            "slices": [
                SliceMetric(
                    name=f"{NASTY} {i}", found=bool(i % 2), rows=i, interval=around(0.5), champion=nan
                )
                for i in range(200)
            ],
            "fairness": [fairness(NASTY)],
            "importances": [Importance(column=NASTY, permutation=nan, deviation=nan)] * 200,
            "probes": [
                Probe(name=NASTY, column=NASTY, rows=0, failure=NASTY),
                Probe(name="n", column=None, rows=0),
            ],
            "plots": Plots(
                roc={"one class": Curve(x=[nan, 0.0], y=[0.0, nan]), "none": none},
                pr={f"c{i}": Curve(x=[0.0, 1.0], y=[1.0, 0.2]) for i in range(50)},
                calibration=Curve(x=[0.0], y=[0.0], rows=[5]),
                confusion=Confusion(classes=[NASTY], counts=[[0]], rows=[0], total=1),
                residuals=none,
                residual_bins=Curve(x=[0.0, nan], y=[1.0]),
            ),
        }
    )
    gates = [GateVerdict(name=NASTY, verdict="fail", reason=NASTY)]
    page = render_model(story(odd).model_copy(update={"gates": gates, "warnings": [NASTY]}))
    assert "script" not in outline(page).seen
    assert "\x1b" not in page
    assert "<script" not in page
    assert "6 of 50 classes" in page
    assert "Smaller ones that are left out: 80." in page
    assert "Columns that matter less, or tell less alone, and are left out: 175." in page
    assert '="nan' not in page
    assert '="inf' not in page


def test_a_champion_that_cannot_answer_is_named_on_top() -> None:
    found = evaluation().model_copy(
        update={"comparison": None, "no_comparison": NoComparison(champion_version=4, reason="<i>gone</i>")}
    )
    page = render_model(story(found))
    assert "Version 4 cannot answer: &lt;i&gt;gone&lt;/i&gt;" in page
    assert page.index("cannot answer") < page.index('id="h-metrics"')


def test_slices_without_rows_are_listed() -> None:
    page = render_model(story(evaluation()))
    found = page[page.index('id="h-slices"') : page.index('id="h-fairness"')]
    assert "20.0%" in found  # 200 of the 1,000 rows among which it was found
    assert "Found where the model is worst, among 1,000 of the test rows" in found
    assert found.index("age &gt;= 60") < found.index("nobody") < found.index("city = Rome")


def test_of_many_classes_those_with_most_rows_are_shown() -> None:
    """Their rows and shares are of all that the class has, however they are called."""
    rows = [10 + i for i in range(20)]
    counts = [[i * (i == j) for j in range(20)] for i in range(20)]
    found = Confusion(classes=[f"c{i}" for i in range(20)], counts=counts, rows=rows, total=30)
    view = confusion_view(found)
    assert view is not None
    assert (view.classes, view.left_out) == ([f"c{i}" for i in range(8, 20)], 18)
    name, count, cells = view.lines[2]
    assert (name, count, cells[2].share, cells[2].count) == ("c10", 20, "50%", 10)


# -------------------------------------------------------------------------------------- from the ledger


@pytest.fixture
def known(tmp_path: Path) -> tuple[Home, Attempt, TrainOutcome]:
    """An attempt that the ledger knows, whose evaluation lies in its folder."""
    home = Home(tmp_path / "home")
    folder = home.pipeline("rides").root
    folder.mkdir(parents=True)
    (folder / "pipeline.yaml").write_text(
        "{pipeline: rides, task: binary, metric: auc, data: {source: a.csv, target: y},"
        " columns: {x: {type: number}, y: {type: category}}}"
    )
    ledger = Ledger.open(home)
    ledger.name_pipeline("rides", folder / "pipeline.yaml")
    snapshot = Snapshot(pipeline="rides", version=9, uri="rows", rows=8000, fingerprint="f" * 64)
    attempt = Attempt(
        id="a-3f9c2e71d0", pipeline="rides", snapshot=snapshot, folder=str(tmp_path / "attempt"), cause="c1"
    )
    ledger.add_cause(
        Cause(id="c1", pipeline="rides", kind="drift", reason="<b>it rained</b>", version=1, created=now())
    )
    config = {"data": {"target": "y"}, "split": {"by": "time", "test": 0.2, "validation": 0.2}}
    ledger.start_attempt(
        attempt, config, {"commit": "c0ffee", "python": "3.11", "packages": {"torch": "2.13"}}
    )
    (tmp_path / "attempt").mkdir()
    AttemptFolder.of(attempt).keep_evaluation(evaluation())
    outcome = TrainOutcome(
        status="inconclusive",
        pipeline="rides",
        attempt=attempt.id,
        dataset={"id": "rides@9", "read": 8100, "quarantined": 100},
        model={"run_id": "abc123"},
        gates=story(evaluation()).gates,
        cause="c1",
        warnings=["a warning"],
    )
    return home, attempt, outcome


def test_the_page_of_an_attempt_says_where_it_comes_from(known: tuple[Home, Attempt, TrainOutcome]) -> None:
    home, attempt, outcome = known
    path = write_model(home, evaluation(), outcome.gates, outcome)
    assert path == model_page(home, "rides", attempt.id)
    page = path.read_text()
    outline(page)
    for words in (
        "rides, attempt a-3f9c2e71d0",
        "rides@9, 8,000 rows",
        "f" * 64,
        "8,100 read, 100 quarantined",
        "by time: 20% validation, 20% test",
        "drift: &lt;b&gt;it rained&lt;/b&gt;",
        "c0ffee",
        "python 3.11, torch 2.13",
        "abc123",
        "a warning",
    ):
        assert words in page
    assert [p.name for p in path.parent.iterdir()] == [path.name]


def test_the_page_of_a_version_says_what_became_of_it(known: tuple[Home, Attempt, TrainOutcome]) -> None:
    home, attempt, outcome = known
    ledger = Ledger.open(home)
    ledger.finish_attempt(outcome)
    with pytest.raises(UsageError, match="no version 3"):
        write_version(home, "rides", 3)
    trained = TrainedModel(attempt=attempt.id, kind="mlp", folder="f", files={}, seconds=1.0)
    ledger.record_version(attempt.id, trained, 3)
    ledger.promote(
        Promotion(
            pipeline="rides",
            seq=0,
            version=3,
            previous=None,
            attempt=attempt.id,
            cause="c1",
            why="w",
            since=now(),
        )
    )
    assert "the model card" not in write_version(home, "rides", 3).read_text()
    card = card_page(home, "rides", 3)
    card.parent.mkdir(parents=True)
    card.write_text("a card")
    page = write_version(home, "rides", 3).read_text()
    assert '<a href="../cards/3.html">the model card</a>' in page
    assert "rides, version 3" in page
    assert "champion since" in page
    AttemptFolder.of(attempt).evaluation.unlink()
    with pytest.raises(UsageError, match="not there any more"):
        write_version(home, "rides", 3, output=home.root / "elsewhere.html")
    assert write_version(home, "rides", 3).read_text() == page
