"""Where a model is bad, to whom, what it rests on and what throws it off: on a model made by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.errors import ConfigError
from pipelines.evaluation import importance, slice_metrics
from pipelines.evaluation.baselines import last_value
from pipelines.evaluation.champion import Opponent
from pipelines.evaluation.fairness import measure_fairness
from pipelines.evaluation.footprint import same_answers
from pipelines.evaluation.importance import measure_importances, shapley
from pipelines.evaluation.plots import draw_plots
from pipelines.evaluation.robustness import probe
from pipelines.evaluation.sampling import Sample, draw_sample
from pipelines.evaluation.slice_metrics import measure_found, measure_named
from pipelines.evaluation.slices import check_conditions, named_slices, worst_slices
from pipelines.leakage import skill_alone
from pipelines.partition import Partition, hold


def definition(define: Any, **changed: Any) -> Any:
    """Of the hand-made model's rows."""
    types = {name: {"type": "number"} for name in ("x", "z", "idle", "y")} | {"kind": {"type": "category"}}
    data = {"source": "t.csv", "target": "y"}
    return define(columns=types, data=data, split={"by": "random"}, **changed)


def as_test_part(rows: pd.DataFrame) -> Partition:
    return Partition(hold(rows), np.full(len(rows), 2, dtype=np.int8))


# ------------------------------------------------------------------------------------------------ slices


def test_named_slices_are_groups_quarters_and_conditions(draw_rows: Any) -> None:
    rows = draw_rows().rows
    rows.loc[:9, "kind"] = None
    names = ["kind", "x", "x > 0 and z > 0", 'kind.str.startswith("a")']
    found = {part.name: int(part.mask.sum()) for part in named_slices(rows, names)}
    assert found.pop('kind.str.startswith("a")') == found["kind = a"]  # of a row without a kind it is not so
    assert found["kind is missing"] == 10
    assert sum(n for name, n in found.items() if name.startswith("kind")) == 600
    assert [n for name, n in found.items() if name.startswith("x from")] == [150] * 4
    whole = named_slices(pd.DataFrame({"beds": [2.0, 2.0, 1.5]}), ["beds"])
    assert [part.name for part in whole] == ["beds = 2", "beds = 1.5"]
    assert found["x > 0 and z > 0"] == int(((rows["x"] > 0) & (rows["z"] > 0)).sum())


@pytest.mark.parametrize("zone", [None, "UTC"])
def test_a_time_has_quarters_as_a_number_has(zone: str | None) -> None:
    rows = pd.DataFrame({"at": pd.date_range("2026-01-01", periods=97, freq="h", tz=zone)})
    rows.loc[96, "at"] = pd.NaT
    none, first, *others = named_slices(rows, ["at"])
    assert (none.name, int(none.mask.sum())) == ("at is missing", 1)
    assert first.name == "at from 2026-01-01 00:00 to 2026-01-01 23:45"
    assert [int(part.mask.sum()) for part in (first, *others)] == [24] * 4
    assert list(named_slices(rows.assign(at=pd.NaT), ["at"])[0].mask) == [True] * 97


def test_quarters_that_lie_close_together_have_names_of_their_own() -> None:
    seconds = pd.Series(pd.date_range("2026-01-01 10:00", periods=40, freq="s"), name="at")
    for column in (seconds, pd.Series(np.arange(40) + 20_250_000, name="day")):
        parts = named_slices(column.to_frame(), [str(column.name)])
        assert len({part.name for part in parts}) == len(parts) == 4


def test_answers_are_the_same_in_every_unit() -> None:
    known = pd.DataFrame({"prediction": [1e-9, 2e-9, 1e-15]})
    for unit in (1.0, 1e9, 1e15):
        assert same_answers(known * unit * 1.0005, known * unit)
        assert not same_answers(known * unit * 1.01, known * unit)
    assert same_answers(known * 0, known * 0)


@pytest.mark.parametrize("condition", ["x + 1", "x > ", "kind > 3", "x.nothing()"])
def test_a_condition_that_is_none_is_refused_with_the_columns(condition: str, draw_rows: Any) -> None:
    with pytest.raises(ConfigError, match="neither a column nor a condition"):
        named_slices(draw_rows().rows, [condition])


def test_what_no_row_can_be_asked_is_refused_before_there_are_rows(define: Any) -> None:
    def check(*conditions: str) -> None:
        check_conditions(define(evaluation={"slices": list(conditions)}))

    check("zone", "zone == 'south' and distance > 3", "at.dt.hour < 6", "zone.str.len() > 4")
    with pytest.raises(ConfigError, match="'zone > 3' is neither a column nor a condition"):
        check("zone", "zone > 3")


def test_the_worst_slice_is_found_and_in_noise_there_is_none(draw_rows: Any) -> None:
    rows = draw_rows().rows.drop(columns="y")
    losses = np.random.default_rng(1).exponential(size=600)
    assert worst_slices(rows, losses) == []
    bad = (rows["kind"] == "b").to_numpy() & (rows["x"] > 0.7).to_numpy()
    first = worst_slices(rows, losses + 3.0 * bad)[0]
    assert first.found
    assert first.name.startswith("kind = b, x from") or first.name.startswith("x from")
    assert worst_slices(rows, losses + 3.0 * bad, most=0) == []


def test_in_much_noise_there_is_none() -> None:
    """The conditions whose pairs are tried are the worst of many, and that was chance."""
    random, found = np.random.default_rng(3), 0
    for _ in range(5):
        rows = pd.DataFrame(random.normal(size=(2000, 100)), columns=[f"c{i}" for i in range(100)])
        found += len(worst_slices(rows, random.normal(size=2000)))
    assert found <= 1


def test_slices_have_the_metric_and_the_champion_on_rows_it_did_not_learn(
    define: Any, draw_rows: Any
) -> None:
    sample = draw_rows()
    worse = sample.answers + 4.0 * (sample.rows["kind"] == "b").to_numpy()[:, None]
    fresh = (sample.rows["x"] < 1.0).to_numpy()
    config = definition(define, evaluation={"slices": ["kind", "x > 9"], "find_slices": 0})
    part = as_test_part(sample.rows)
    opponent = Opponent(3, worse, fresh)
    found: list[Any] = measure_named(config, part, sample.answers, opponent)
    a, b, none = found
    assert (a.name, b.name) in {("kind = a", "kind = b"), ("kind = b", "kind = a")}
    a, b = (a, b) if a.name == "kind = a" else (b, a)
    assert a.difference.low == a.difference.high == 0.0  # the same answers on all of its rows
    assert b.difference.low > 2
    assert b.difference.rows == int((fresh & (sample.rows["kind"] == "b")).sum()) < b.rows
    assert b.interval.low < b.interval.value < b.interval.high
    assert (none.rows, none.interval, none.difference) == (0, None, None)


def test_a_slice_that_is_found_says_among_how_many_rows(
    define: Any, draw_rows: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(slice_metrics, "SEARCHED", 500)
    sample = draw_rows()
    off = sample.answers + 5.0 * (sample.rows["kind"] == "b").to_numpy()[:, None]
    seen = Sample(sample.rows, sample.target, off, sample.places)
    found: Any = measure_found(
        definition(define), ["kind"], seen, Opponent(3, sample.answers, np.ones(600, dtype=np.bool_))
    )
    assert (found[0].name, found[0].among) == ("kind = b", 500)
    assert found[0].rows == found[0].difference.rows < 300
    assert found[0].difference.high < 0


def test_a_slice_of_one_class_has_no_auc(define: Any, draw_rows: Any) -> None:
    sample = draw_rows("binary")
    one = (sample.target == "yes").to_numpy()
    rows = sample.rows.assign(x=np.where(one, 1.0, -1.0))
    types = {"x": {"type": "number"}, "y": {"type": "category"}}
    asked = {"slices": ["x > 0"], "find_slices": 0}
    data = {"source": "t.csv", "target": "y"}
    config = define("binary", columns=types, data=data, split={"by": "random"}, evaluation=asked)
    [part] = measure_named(config, as_test_part(rows), sample.answers, None)
    assert (part.rows, part.interval) == (int(one.sum()), None)


# ------------------------------------------------------------------------------------------------ fairness


def test_groups_are_compared_by_what_they_get(draw_rows: Any) -> None:
    """By hand: of 100 women 20 are selected, of 200 men 100; 10 of a third group are too few."""
    group = pd.Series(["f"] * 100 + ["m"] * 200 + ["x"] * 10, name="sex", dtype=object)
    said = ["yes"] * 20 + ["no"] * 80 + ["yes"] * 100 + ["no"] * 100 + ["no"] * 10
    truth = ["yes"] * 40 + ["no"] * 60 + ["yes"] * 100 + ["no"] * 100 + ["no"] * 10
    chance = np.where(np.array(said) == "yes", 0.9, 0.1)
    answers = pd.DataFrame({"prediction": said, "p_no": 1 - chance, "p_yes": chance})
    found: Any = measure_fairness(group, pd.Series(truth), answers)
    by: dict[str, Any] = {one.group: one for one in found.groups}
    assert by["sex = f"].selection.value == 0.2
    assert by["sex = f"].true_positive.value == 0.5
    assert by["sex = m"].false_positive.value == 0.0
    assert by["sex = x"].true_positive is None
    assert found.selection_ratio.value == pytest.approx(0.4)
    assert (found.odds_difference.value, found.odds_difference.rows) == (0.5, 40)
    assert found.calibration_difference.value == pytest.approx(0.14)
    assert found.odds_difference.error == pytest.approx(np.sqrt(0.25 / 44 + (102 * 2) / 104**3), rel=1e-6)


def test_equalised_odds_need_both_rates_of_two_groups() -> None:
    """Of 29 positives a true positive rate says nothing, however many negatives there are."""
    group = pd.Series(["f"] * 100 + ["m"] * 100, name="sex")
    for positives, known in ((29, False), (30, True)):
        truth = (["yes"] * positives + ["no"] * (100 - positives)) * 2
        answers = pd.DataFrame({"prediction": truth, "p_no": 0.5, "p_yes": 0.5})
        assert (measure_fairness(group, pd.Series(truth), answers).odds_difference is not None) is known


@pytest.mark.parametrize(("each", "measured", "left_out"), [(40, 25, 0), (10, 100, 0), (5, 100, 100)])
def test_the_largest_groups_are_measured(draw_rows: Any, each: int, measured: int, left_out: int) -> None:
    sample = draw_rows("binary", rows=1000)
    group = pd.Series([f"n{i // each}" for i in range(1000)], name="nation")
    found = measure_fairness(group, sample.target, sample.answers)
    assert (len(found.groups), found.left_out) == (measured, left_out)


def test_one_group_alone_is_compared_with_nothing(draw_rows: Any) -> None:
    sample = draw_rows("binary")
    found = measure_fairness(pd.Series(["f"] * 600, name="sex"), sample.target, sample.answers)
    assert (found.selection_ratio, found.odds_difference, found.calibration_difference) == (None, None, None)


# ------------------------------------------------------------------------------------------------ features


def test_importances_tell_what_the_model_uses(
    define: Any, hand_made: Any, draw_rows: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    sample = draw_rows()
    found = measure_importances(definition(define), hand_made(), sample)
    by: dict[str, Any] = {one.column: one for one in found}
    assert [one.column for one in found][:2] in (["x", "kind"], ["kind", "x"])
    assert by["idle"].permutation == by["idle"].shapley == 0.0
    assert by["x"].shapley > by["z"].shapley > 0.0
    assert 0.3 < by["x"].alone < 0.7 > by["z"].alone
    monkeypatch.setattr(importance, "MOST_PERMUTED", 2)
    few = measure_importances(definition(define), hand_made(), sample)
    assert [(one.column, one.permutation is None) for one in few[2:]] == [("z", True), ("idle", True)]
    assert {(one.column, one.shapley, one.alone) for one in few} == {
        (one.column, one.shapley, one.alone) for one in found
    }


def test_a_column_without_a_fall_is_kept_for_what_it_tells_alone(
    define: Any, hand_made: Any, draw_rows: Any
) -> None:
    """If the rows whose columns are dealt out hold one class, no AUC falls; ten rows explain nothing."""
    sample = draw_rows("binary")
    few = Sample(sample.rows[:10], pd.Series(["no"] * 10), sample.answers[:10], np.arange(10))
    config = definition(define).model_copy(update={"task": "binary", "metric": "auc"})
    found = measure_importances(config, hand_made("binary"), few)
    assert found
    assert {(one.permutation, one.shapley) for one in found} == {(None, None)}


@settings(max_examples=5, deadline=None)
@given(st.integers(0, 1000), st.sampled_from(["regression", "binary"]))
def test_shapley_values_sum_to_the_answer(hand_made: Any, draw_rows: Any, seed: int, task: str) -> None:
    sample, model = draw_rows(task, rows=30, seed=seed), hand_made(task)
    rows, background = sample.rows.iloc[:3], sample.rows.iloc[3:]
    values, base = shapley(model, rows, background)
    answers = model.predict(rows)["prediction" if task == "regression" else "p_yes"].to_numpy()
    assert base + values[:, :, 0].sum(axis=1) == pytest.approx(answers)
    if task == "regression":  # of a sum they are known: each column's own, less its mean
        known = 3.0 * (rows["x"] - background["x"].mean())
        assert values[:, 0, 0] == pytest.approx(known.to_numpy())


@pytest.mark.parametrize(
    ("task", "target"), [("regression", "y"), ("binary", "late"), ("multiclass", "band")]
)
def test_a_feature_that_knows_the_answer_is_seen(task: Any, target: str, table: Any) -> None:
    rows = table(600)
    rows["copy"] = rows["y"].rank() if task == "regression" else rows[target]
    found = skill_alone(rows, rows[target], task, ["copy", "distance", "passengers", "zone"])
    assert found["copy"] > 0.95 > found["distance"] > 0.3 > found["passengers"]
    gone = skill_alone(rows.assign(copy=None), rows[target], task, ["copy"])
    assert gone["copy"] < 0.05


def leaks_of(count: int, rows: int = 6000) -> dict[str, float]:
    """What columns tell of a class of so few rows: those that stand for it in several ways, and noise."""
    random, rare = np.random.default_rng(7), np.arange(rows) < count
    frame = pd.DataFrame(
        {
            "flag": np.where(rare, "a", "b").astype(object),
            "noisy": rare + random.normal(0, 0.01, rows),
            "refund": np.where(rare, random.gamma(2.0, 50.0, rows), np.nan),
            "noise": random.normal(size=rows),
            "hint": random.normal(size=rows) + 4 * rare,
        }
    )
    target = pd.Series(np.where(rare, "yes", "no").astype(object))
    return skill_alone(frame, target, "binary", list(frame))


@pytest.mark.parametrize("count", [4, 12, 60])
def test_a_rare_class_hides_no_leak(count: int) -> None:
    found = leaks_of(count)
    assert min(found[name] for name in ("flag", "noisy", "refund")) > 0.99
    assert max(found["noise"], found["hint"]) < 0.99


def test_of_a_class_of_three_rows_nothing_is_said() -> None:
    assert leaks_of(3) == {}


def test_changed_rows_are_answered_or_it_is_said_why_not(hand_made: Any, draw_rows: Any) -> None:
    found: dict[Any, Any] = {(one.name, one.column): one for one in probe(hand_made(), draw_rows().rows)}
    assert 0 < found["noise", None].change < 0.01
    assert found["missing", "idle"].change == 0.0
    assert found["missing", "kind"].change > 0.1
    assert found["far above", "x"].change > 100
    assert "no z at all" in found["missing", "z"].failure
    assert "no z at all" in found["all missing", None].failure


# ------------------------------------------------------------------------------------------------ plots


@pytest.mark.parametrize("task", ["regression", "binary"])
def test_plots_are_few_finite_numbers(task: Any, draw_rows: Any) -> None:
    sample = draw_rows(task, rows=3000)
    plots: Any = draw_plots(task, sample)
    if task == "regression":
        assert len(plots.residuals.x) == len(plots.residuals.y) == 500
        assert sum(plots.residual_bins.y) == 3000
        assert len(plots.residual_bins.x) == len(plots.residual_bins.y) + 1
        return
    roc, pr = plots.roc["yes"], plots.pr["yes"]
    assert len(roc.x) <= 100 >= len(pr.x)
    assert (roc.x[0], roc.y[0], roc.x[-1], roc.y[-1], pr.x[-1]) == (0, 0, 1, 1, 1)
    assert np.trapezoid(roc.y, roc.x) == pytest.approx(auc(sample), abs=0.002)
    assert np.sum(plots.confusion.counts) == sum(plots.calibration.rows) == 3000
    assert np.abs(np.subtract(plots.calibration.x, plots.calibration.y)).max() < 0.08


def test_equal_probabilities_are_one_dot_and_of_many_classes_all_rows_count(draw_rows: Any) -> None:
    target = pd.Series([f"c{i:02d}" for i in range(25) for _ in range(10 + i)])
    answers = pd.DataFrame({f"p_c{i:02d}": np.full(len(target), 0.04) for i in range(25)})
    sample = Sample(pd.DataFrame(), target, answers.assign(prediction="c00"), np.arange(len(target)))
    plots: Any = draw_plots("multiclass", sample)
    assert (plots.calibration.x, plots.calibration.rows) == ([0.04], [550])
    assert plots.confusion.classes == [f"c{i:02d}" for i in range(5, 25)]
    assert (plots.confusion.rows, plots.confusion.total) == (list(range(15, 35)), 25)
    assert np.sum(plots.confusion.counts) == 0  # all are called c00, which is not shown


def auc(sample: Any) -> float:
    from sklearn.metrics import roc_auc_score

    return float(roc_auc_score(sample.target == "yes", sample.answers["p_yes"]))


def test_one_class_has_no_curve(draw_rows: Any) -> None:
    sample = draw_rows("binary", rows=50)
    same = type(sample)(sample.rows, pd.Series(["yes"] * 50, dtype=object), sample.answers, sample.places)
    plots: Any = draw_plots("binary", same)
    assert (plots.roc, plots.pr) == ({}, {})
    assert np.sum(plots.confusion.counts) == 50


# ------------------------------------------------------------------------------------------------ rows


def test_a_sample_keeps_rows_and_answers_together(table: Any) -> None:
    frame = table(900)
    member = np.tile(np.array([0, 1, 2], dtype=np.int8), 300)
    pieces = [frame.iloc[:200], frame.iloc[200:650], frame.iloc[650:]]
    rows = Partition(lambda columns: (p if columns is None else p[columns] for p in pieces), member)
    answers = rows.table("test", columns=["y"]).set_axis(["prediction"], axis=1)
    sample = draw_sample(rows, "y", answers, most=50)
    assert len(sample.rows) == 50
    np.testing.assert_array_equal(sample.target, sample.answers["prediction"])
    np.testing.assert_array_equal(sample.target, answers["prediction"].to_numpy()[sample.places])
    few = sample.head(20)
    np.testing.assert_array_equal(few.target, few.answers["prediction"])
    assert len(draw_sample(rows, "y", answers).rows) == 300


@pytest.mark.parametrize(("gap", "behind"), [("0 days", 1), ("3 hours", 3)])
def test_the_last_value_is_the_newest_that_was_known_of_the_entity(
    gap: str, behind: int, define: Any, table: Any
) -> None:
    """Of rows in pieces and in any order; what the gap leaves out is known, a row without entity stands for
    itself."""
    frame = pd.concat([table(60), table(60, seed=2), table(60, seed=3)], ignore_index=True)
    frame = frame.assign(zone=["a"] * 60 + ["b"] * 60 + [None] * 60)
    expected = frame.groupby("zone")["y"].shift(behind)
    data = {"source": "t.csv", "target": "y", "timestamp": "at", "entity": "zone"}
    config = define(data=data, split={"by": "time", "gap": gap})
    frame = frame.sample(frac=1, random_state=1)
    member = np.searchsorted([38, 40], frame.index % 60, side="right").astype(np.int8)
    parts = np.where(member == 1, 3 if behind > 1 else 0, member).astype(np.int8)
    pieces = [frame.iloc[start : start + 50] for start in range(0, 180, 50)]
    found = last_value(
        config, Partition(lambda columns: (p[columns or list(p)] for p in pieces), parts), -7.0
    )
    np.testing.assert_allclose(found["prediction"], expected[found.index].fillna(-7.0))
