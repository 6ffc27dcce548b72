"""Predictions are logged by several writers at once, and get their labels late."""

import subprocess
import sys
from datetime import datetime, timedelta
from pathlib import Path

import pandas as pd

from pipelines.data.predictions.prediction_log import (
    LabelResult,
    append_labels,
    append_predictions,
    compact,
    read_window,
    window_counts,
)
from pipelines.home import Home

MONDAY = datetime(1970, 1, 5)
START = datetime(2024, 1, 1)


def scored(ids: list[str], channel: str = "online", **more: object) -> pd.DataFrame:
    times = [START + timedelta(hours=i) for i in range(len(ids))]
    columns = {"x": 1.5, "_id": ids, "_time": times, "_version": 1, "_channel": channel, "_scored_at": START}
    return pd.DataFrame({**columns, "_prediction": 2.0, **more})


def test_nothing_logged_yet_is_no_failure(tmp_path: Path) -> None:
    home = Home(tmp_path)
    assert read_window(home, "p", START, START).empty
    assert window_counts(home, "p", 3600, MONDAY) == []
    compact(home, "p")
    labels = pd.DataFrame({"_id": ["a"], "_label": [1]})
    assert append_labels(home, "p", labels) == LabelResult(matched=0, unmatched=1, corrected=0)


def test_labels_come_late_are_corrected_and_repeat(tmp_path: Path) -> None:
    home = Home(tmp_path)
    append_predictions(home, "p", scored(["a", "b", "c"]))
    given = pd.DataFrame({"_id": ["a", "b", "zz"], "_label": ["5", "6.0", "7"]})
    assert append_labels(home, "p", given) == LabelResult(matched=2, unmatched=1, corrected=0)
    assert append_labels(home, "p", given) == LabelResult(matched=2, unmatched=1, corrected=0)
    later = pd.DataFrame({"_id": ["a", "b", "b"], "_label": [5.0, 9.0, 8.0]})
    assert append_labels(home, "p", later) == LabelResult(matched=2, unmatched=0, corrected=1)
    compact(home, "p")
    window = read_window(home, "p", START, START + timedelta(hours=3))
    assert window["_id"].tolist() == ["a", "b", "c"]
    assert window["_label"].tolist()[:2] == [5.0, 8.0]
    assert window["_label"].isna().tolist() == [False, False, True]
    assert str(window["_time"].dtype) == "datetime64[us]"


def test_classes_keep_their_spelling(tmp_path: Path) -> None:
    home = Home(tmp_path)
    append_predictions(home, "p", scored(["a"], _prediction="<=50K", _p_x=0.5))
    append_labels(home, "p", pd.DataFrame({"_id": ["a"], "_label": ["<=50K"]}))
    window = read_window(home, "p", START, START + timedelta(hours=1))
    assert window[["_prediction", "_label"]].iloc[0].tolist() == ["<=50K", "<=50K"]


def test_a_window_ends_before_its_end_and_counts_are_aligned(tmp_path: Path) -> None:
    home = Home(tmp_path)
    append_predictions(home, "p", scored([str(i) for i in range(30)]))
    append_labels(home, "p", pd.DataFrame({"_id": ["0", "25"], "_label": [1.0, 1.0]}))
    assert len(read_window(home, "p", START, START + timedelta(hours=24))) == 24
    day = timedelta(days=1)
    assert window_counts(home, "p", day.total_seconds(), MONDAY) == [(START, 24, 1), (START + day, 6, 1)]
    assert window_counts(home, "p", 7 * day.total_seconds(), MONDAY) == [(START, 30, 2)]


def test_a_batch_scored_twice_is_logged_once(tmp_path: Path) -> None:
    home = Home(tmp_path)
    append_predictions(home, "p", scored(["a", "b"], "batch"))
    append_predictions(home, "p", scored(["a", "b", "c"], "batch"))
    assert window_counts(home, "p", 86400, MONDAY) == [(START, 3, 0)]


def test_columns_come_go_and_change_their_type(tmp_path: Path) -> None:
    home = Home(tmp_path)
    append_predictions(home, "p", scored(["a"]))
    append_predictions(home, "p", scored(["b"], x="many", extra="new"))
    append_predictions(home, "p", scored(["c"]).drop(columns="x"))
    append_predictions(home, "p", scored(["d"], x=None))
    window = read_window(home, "p", START, START + timedelta(hours=1))
    assert sorted(window["_id"]) == ["a", "b", "c", "d"]
    assert window["x"].count() == 1


WRITER = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[3])
from test_prediction_log import scored
from pipelines.data.predictions.prediction_log import append_predictions
from pipelines.home import Home
for i in range(8):
    new = {f"new_{sys.argv[2]}": 1.0}
    append_predictions(Home(Path(sys.argv[1])), "p", scored([f"{sys.argv[2]}{i}"], **new))
"""


def test_two_processes_write_at_once(tmp_path: Path) -> None:
    here = str(Path(__file__).parent)
    writers = [subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path), name, here]) for name in "ab"]
    assert [writer.wait(60) for writer in writers] == [0, 0]
    assert len(read_window(Home(tmp_path), "p", START, START + timedelta(days=1))) == 16
