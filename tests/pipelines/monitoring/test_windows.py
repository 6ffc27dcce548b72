"""One window of logged predictions, with the truth that came later."""

from datetime import datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from pipelines.config import PipelineConfig
from pipelines.monitoring import build_reference, main_version, measure_window

SPAN = (datetime(2024, 1, 1), datetime(2024, 1, 8))


def make_config(task="regression", metric="rmse"):
    columns = {"x": {"type": "number"}, "y": {"type": "number" if task == "regression" else "category"}}
    data = {"source": "x.csv", "target": "y"}
    return PipelineConfig(pipeline="rides", task=task, metric=metric, data=data, columns=columns)


def make_rows(count=400, error=1.0, version=3):
    chance = np.random.default_rng(0)
    x = chance.normal(0, 10, count)
    label = [repr(float(value)) for value in x + chance.normal(0, error, count)]  # as the log keeps labels
    return pd.DataFrame({"x": x, "_prediction": x, "_label": label, "_version": version})


def make_classes(count=400, share=0.8):
    chance = np.random.default_rng(0)
    label = chance.choice(["no", "yes"], count)
    right = chance.random(count) < share
    yes = np.where((label == "yes") == right, 0.9, 0.1)
    frame = {"x": chance.normal(0, 1, count), "_label": label, "_version": 1, "_p_no": 1 - yes, "_p_yes": yes}
    return pd.DataFrame(frame).assign(_prediction=np.where(yes > 0.5, "yes", "no"))


def measure(rows, config=None, expected=1.0):
    reference = build_reference(rows, {"x": "number"}, None, timedelta(days=7))
    return measure_window(config or make_config(), rows, SPAN, reference, expected)


def test_quality_is_the_metric_with_its_interval():
    quality = measure(make_rows()).quality
    assert quality.labelled == 400
    assert quality.realised.value == pytest.approx(1, abs=0.1)
    assert quality.realised.low < quality.realised.value < quality.realised.high
    assert quality.realised.high - quality.realised.low < 0.3
    assert quality.expected == 1.0
    assert measure(make_rows()).quality == quality


@pytest.mark.parametrize(("metric", "value"), [("accuracy", 0.8), ("auc", 0.8), ("f1", 0.8)])
def test_quality_of_classes(metric, value):
    quality = measure(make_classes(), make_config("binary", metric)).quality
    assert quality.realised.value == pytest.approx(value, abs=0.06)


def test_under_thirty_labels_quality_is_unknown():
    rows = make_rows()
    rows.loc[29:, "_label"] = None
    found = measure(rows)
    assert (found.labelled, found.quality) == (29, None)
    rows.loc[29, "_label"] = "0.0"
    assert measure(rows).quality.labelled == 30


def test_without_an_expected_value_quality_is_unknown():
    assert measure(make_rows(), expected=float("nan")).quality is None


def test_one_class_has_no_auc():
    rows = make_classes()
    assert measure(rows[rows["_label"] == "yes"], make_config("binary", "auc")).quality is None


def test_the_version_that_scored_most_is_measured_alone():
    rows = pd.concat([make_rows(300, error=1.0, version=3), make_rows(100, error=50.0, version=4)])
    found = measure(rows)
    assert (found.version, found.rows, found.labelled) == (3, 300, 300)
    assert found.quality.realised.high < 2
    assert found.drift.rows == 300


def test_of_two_equals_the_newer_version_is_measured():
    assert main_version(pd.concat([make_rows(10, version=3), make_rows(10, version=4)])) == 4
    assert main_version(make_rows(0)) is None
    with pytest.raises(ValueError, match="without rows"):
        measure_window(
            make_config(), make_rows(0), SPAN, build_reference(make_rows(), {}, None, SPAN[1] - SPAN[0]), 1.0
        )
