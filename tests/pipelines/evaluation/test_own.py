"""Metrics of one's own and money, as any other metric; what is wrong with them is said by key."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import matthews_corrcoef

from pipelines.config import PipelineConfig
from pipelines.errors import ConfigError
from pipelines.evaluation import own
from pipelines.evaluation.answers import measure_answers
from pipelines.evaluation.comparing import Measured
from pipelines.evaluation.evaluate import fingerprint
from pipelines.partition import Partition, hold

MODULE = """
import numpy as np

def matthews(rows):
    late, said = ((rows[name] == "yes").to_numpy() for name in ("late", "prediction"))
    return np.corrcoef(late, said)[0, 1]

def paid(rows):
    taken = np.where(rows["late"] == "yes", 5.0, -rows["passengers"])
    return np.where(rows["prediction"] == "yes", taken, 0.0)

def never(rows):
    return float("nan")

def words(rows):
    return "good"

def letters(rows):
    return ["a"] * len(rows)

def meddling(rows):
    rows["prediction"] = "no"
    return 1.0

def first(rows):
    return rows[rows["at"] == "2025-01-01"]["passengers"].iloc[0] + rows["passengers"].mean()

def unlike(rows):
    return 1.0 if rows["at"].is_unique else float("nan")

def short(rows):
    return np.zeros(3)

def broken(rows):
    return rows["no such column"].mean()
"""
COSTS = {"yes": {"yes": 5, "no": -2}, "no": {"yes": -1, "no": 0}}


@pytest.fixture
def measure(tmp_path: Path, define: Any, table: Any) -> Any:
    (tmp_path / "judged.py").write_text(MODULE)
    frame = table(300)

    def measured(kept: Any = None, **section: Any) -> tuple[PipelineConfig, pd.DataFrame, Measured]:
        config = define("binary", evaluation=section).model_copy(update={"folder": tmp_path})
        rows = Partition(hold(frame), np.full(len(frame), 2, dtype=np.int8))
        said = {name: np.random.default_rng(i).random(300) for i, name in enumerate(("ours", "theirs"))}
        answers = {
            name: pd.DataFrame({"prediction": np.where(p > 0.5, "yes", "no"), "p_no": 1 - p, "p_yes": p})
            for name, p in said.items()
        }
        answers["ours"].loc[:200, "prediction"] = frame.loc[:200, "late"]
        found = measure_answers(config, rows, answers, kept)
        mask = np.ones(300, dtype=bool) if kept is None else kept
        return config, frame[mask].assign(prediction=answers["ours"]["prediction"][mask]), found

    return measured


def test_a_function_of_ones_own_has_an_interval_and_a_difference(measure: Any) -> None:
    _, rows, found = measure(metrics=["judged:matthews"])
    interval = found.intervals["ours"]["matthews"]
    assert interval.value == pytest.approx(matthews_corrcoef(rows["late"], rows["prediction"]))
    assert 0.5 < interval.low < interval.value < interval.high < 1
    assert found.differences["theirs"]["matthews"].low > 0


def test_rows_that_are_left_out_are_left_out_of_it(measure: Any) -> None:
    _, rows, found = measure(kept=np.arange(300) >= 100, metrics=["judged:matthews"], value="judged:paid")
    assert len(rows) == 200
    known = matthews_corrcoef(rows["late"], rows["prediction"])
    assert found.metrics["ours"]["matthews"] == pytest.approx(known)
    right = np.where(rows["late"] == "yes", 5.0, -rows["passengers"])
    paid = np.where(rows["prediction"] == "yes", right, 0.0)
    assert found.metrics["ours"]["value"] == pytest.approx(1_000 * paid.mean())


def test_of_many_rows_a_seeded_sample_is_asked_about(measure: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(own, "ROWS", 50)
    _, _, first = measure(metrics=["judged:matthews"])
    _, _, again = measure(metrics=["judged:matthews"])
    assert first.metrics == again.metrics
    assert first.differences["theirs"]["matthews"].rows == first.intervals["ours"]["matthews"].rows == 50


def test_costs_are_money_per_1000_rows(measure: Any) -> None:
    _, rows, found = measure(value=COSTS)
    pairs = zip(rows["late"], rows["prediction"], strict=True)
    money = 1_000 * np.mean([COSTS[true][said] for true, said in pairs])
    assert found.metrics["ours"]["value"] == pytest.approx(money)
    interval = found.intervals["ours"]["value"]
    assert interval.low < money < interval.high
    assert found.differences["theirs"]["value"].low > 0


def test_what_has_no_value_is_left_out(measure: Any) -> None:
    _, _, found = measure(metrics=["judged:never"])
    assert "never" not in found.metrics["ours"]
    assert "auc" in found.metrics["ours"]


def test_a_resample_without_what_a_function_needs_has_no_value(measure: Any) -> None:
    _, _, found = measure(metrics=["judged:first", "judged:unlike"])
    interval = found.intervals["ours"]["first"]
    assert interval.low < interval.value < interval.high
    assert found.differences["theirs"]["first"].value == 0
    assert "unlike" not in found.metrics["ours"]


def test_what_a_function_does_to_its_rows_is_seen_by_no_other(measure: Any) -> None:
    _, _, found = measure(metrics=["judged:meddling", "judged:matthews"])
    assert found.intervals["ours"]["matthews"].low > 0.5


@pytest.mark.parametrize(
    ("section", "words"),
    [
        ({"metrics": ["judged:words"]}, ["evaluation.metrics.0: judged:words gave str, not a number"]),
        ({"metrics": ["judged:broken"]}, ["evaluation.metrics.0: judged:broken", "no such column"]),
        ({"metrics": ["judged:absent"]}, ["evaluation.metrics.0: ", "no function", "'absent'"]),
        ({"metrics": ["nowhere:f"]}, ["evaluation.metrics.0: nowhere:f: no module 'nowhere'"]),
        ({"value": "judged:short"}, ["evaluation.value: judged:short", "shape (3,) for 300 rows"]),
        ({"value": "judged:letters"}, ["evaluation.value: judged:letters gave list, not a number for each"]),
        ({"value": {"yes": {"yes": 1, "no": 0}, "no": {"no": 0}}}, ["class 'no' that is called 'yes'"]),
    ],
)
def test_what_is_wrong_is_said_with_the_key(measure: Any, section: Any, words: list[str]) -> None:
    with pytest.raises(ConfigError) as caught:
        measure(**section)
    for word in words:
        assert word in caught.value.message
    assert caught.value.hint


def test_another_function_asks_for_another_evaluation(measure: Any) -> None:
    config, _, _ = measure(metrics=["judged:matthews"])
    before = fingerprint(config)
    assert fingerprint(config) == before
    file = config.folder / "judged.py"
    file.write_text(file.read_text() + "\n# mended\n")
    assert fingerprint(config) != before
    plain = config.model_copy(update={"evaluation": config.evaluation.model_copy(update={"metrics": []})})
    assert fingerprint(plain) not in {before, fingerprint(config)}


def test_gates_of_ones_own_lie_beside_the_definition(define: Any, tmp_path: Path) -> None:
    (tmp_path / "rules.py").write_text(
        "def slow(found):\n    return 'fail', found['rows']\n\ndef bad(found):\n    1 / 0\n"
    )
    config = define(gates={"own": ["rules:slow", "rules:bad"]}).model_copy(update={"folder": tmp_path})
    found = own.find_gates(config)
    assert found["rules:slow"]({"rows": 7}) == ("fail", 7)
    with pytest.raises(
        ConfigError, match=r"gates\.own\.1: rules:bad raised ZeroDivisionError.*rules\.py, line 5"
    ):
        found["rules:bad"]({})
    unmeasured = define("binary", evaluation={"metrics": ["rules:gone"]})
    with pytest.raises(ConfigError, match=r"evaluation\.metrics\.0: the module rules has no function 'gone'"):
        own.find_gates(unmeasured.model_copy(update={"folder": tmp_path}))
    missing = define(gates={"own": "rules:gone"}).model_copy(update={"folder": tmp_path})
    with pytest.raises(ConfigError, match=r"gates\.own\.0: the module rules has no function 'gone'"):
        own.find_gates(missing)
