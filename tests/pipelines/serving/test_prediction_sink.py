"""The way to the log: in time, in order, bounded, and without loss while the disk fails."""

from __future__ import annotations

import threading
from collections import defaultdict

import pandas as pd

from pipelines.serving.prediction_sink import PredictionSink
from tests.waiting import PATIENCE, until


class Disk:
    """Keeps what is appended, by pipeline; fails for those in `broken`, holds while `gate` is unset."""

    def __init__(self) -> None:
        self.rows: dict[str, list[int]] = defaultdict(list)
        self.appends = 0
        self.broken: set[str] = set()
        self.gate = threading.Event()
        self.gate.set()

    def append(self, pipeline: str, frame: pd.DataFrame) -> None:
        self.gate.wait(PATIENCE)
        if pipeline in self.broken:
            raise OSError("no space left")
        self.appends += 1
        self.rows[pipeline] += frame.iloc[:, 0].tolist()


def rows(*values: int, column: str = "_id") -> pd.DataFrame:
    return pd.DataFrame({column: values})


def test_rows_are_written_in_order_in_few_appends_and_the_rest_at_the_end() -> None:
    disk = Disk()
    sink = PredictionSink(disk.append, seconds=0.2)
    for i in range(500):
        sink.put("a", rows(i))
    until(lambda: sink.waiting == 0)
    assert disk.rows["a"] == list(range(500))
    assert disk.appends < 10
    sink.put("a", rows(500))
    sink.close()
    assert disk.rows["a"] == list(range(501))


def test_a_thousand_rows_do_not_wait_for_their_time() -> None:
    disk = Disk()
    sink = PredictionSink(disk.append, seconds=2 * PATIENCE)
    sink.put("a", rows(*range(1000)))
    until(lambda: disk.rows["a"])
    sink.close()
    assert disk.rows["a"] == list(range(1000))


def test_what_is_too_much_is_dropped_and_counted_and_nothing_else_is_lost() -> None:
    disk = Disk()
    disk.gate.clear()
    sink = PredictionSink(disk.append, most_waiting=100, seconds=0)
    for i in range(150):
        sink.put("a", rows(i))
    assert sink.dropped == 50
    disk.gate.set()
    sink.close()
    assert disk.rows["a"] == list(range(100))


def test_a_disk_that_fails_for_a_while_loses_nothing() -> None:
    disk = Disk()
    disk.broken = {"a"}
    sink = PredictionSink(disk.append, seconds=0.01)
    sink.put("a", rows(1, 2))
    sink.put("b", rows(7))
    until(lambda: sink.trouble)
    until(lambda: disk.rows["b"] == [7])  # another pipeline's log is not held up
    sink.put("a", rows(3))
    disk.broken = set()
    until(lambda: not (sink.waiting or sink.trouble))
    assert disk.rows["a"] == [1, 2, 3]
    sink.close()
    assert sink.dropped == 0


def test_rows_that_cannot_be_written_at_the_end_are_counted_and_do_not_hang() -> None:
    disk = Disk()
    disk.broken = {"a"}
    sink = PredictionSink(disk.append, seconds=60)
    sink.put("a", rows(1, 2))
    sink.put("b", rows(3))
    sink.close()
    sink.put("b", rows(4))
    assert sink.dropped == 3
    assert disk.rows["b"] == [3]


def test_frames_of_different_columns_are_appended_apart() -> None:
    disk = Disk()
    sink = PredictionSink(disk.append, seconds=60)
    sink.put("a", rows(1))
    sink.put("a", rows(2, column="other"))
    sink.close()
    assert disk.rows["a"] == [1, 2]
    assert disk.appends == 2
