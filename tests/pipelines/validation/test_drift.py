"""A batch beside the last accepted snapshot: the rule as a table of cases, and once for real."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from pipelines.config import DriftCheck
from pipelines.data.statistics.comparison import BatchDrift
from pipelines.home import Home
from pipelines.records import Batch
from pipelines.validation import validate_batch
from pipelines.validation.drift import judge_drift
from tests.pipelines.validation.conftest import write_parts

LIKE, LABELS = "column_is_like_before", "labels_agree_with_before"


def drift(rows=500, distances=None, turned=(), telling=0) -> BatchDrift:
    return BatchDrift(rows=rows, distances=distances or {}, reversed=list(turned), telling=telling)


# what was measured -> rule, column and whether it holds
CASES = {
    "nothing to compare": (drift(), []),
    "calm": (drift(distances={"a": 0.1, "b": 0.6}), [(LIKE, None, True)]),
    "two moved": (drift(distances={"a": 0.61, "b": 0.83, "c": 0}), [(LIKE, "b", False), (LIKE, "a", False)]),
    "few rows say nothing": (drift(rows=199, distances={"a": 1.0}, turned="ab", telling=2), []),
    "labels agree": (drift(telling=3), [(LABELS, "y", True)]),
    "one of three turned": (drift(turned="a", telling=3), [(LABELS, "y", True)]),
    "half is not most": (drift(turned="ab", telling=4), [(LABELS, "y", True)]),
    "two of three turned": (drift(turned="ab", telling=3), [(LABELS, "y", False)]),
    "the only one turned": (drift(turned="a", telling=1), [(LABELS, "y", False)]),
}


@pytest.mark.parametrize(("measured", "expected"), CASES.values(), ids=CASES)
def test_judgment(measured, expected):
    findings = judge_drift(DriftCheck(), measured, "y", "p@7")
    assert [(f.rule, f.column, f.passed) for f in findings] == expected


def test_a_finding_names_numbers_and_what_to_do():
    measured = drift(distances={"a": 0.834}, turned="ab", telling=2)
    moved, labels = judge_drift(DriftCheck(on_failure="fail", reversed="warn"), measured, "y", "p@7")
    assert (moved.observed, moved.on_failure, labels.on_failure) == ("distance 0.83", "fail", "warn")
    assert moved.expected.startswith("at most 0.6 from snapshot p@7")
    assert labels.observed == "2 of 2 columns that tell of y tell the opposite: a, b"
    assert "labels are not flipped" in labels.expected


@pytest.fixture
def judge(tmp_path, table, define, keep):
    """Validate a frame of the trips as the batch after 600 accepted ones."""
    home, config = Home(tmp_path / "home"), define("binary")
    keep(table(), home)

    def run(frame: pd.DataFrame, **more):
        columns = {name: spec.type for name, spec in config.columns.items()}
        write_parts(frame, tmp_path / "b", columns, parts=2)
        pipeline = {"pipeline": config.pipeline, "id": "b", "folder": str(tmp_path / "b")}
        batch = Batch(**pipeline, rows=len(frame), known=0, sources=[], **more)
        return validate_batch(config, home, batch)

    return run


def test_like_rows_pass(judge, table):
    report = judge(table(seed=2))
    assert (report.refused, report.warnings) == (None, [])
    assert {LIKE, LABELS} <= {result.rule for result in report.results}


def test_a_wrong_unit_warns_and_flipped_labels_refuse(judge, table):
    frame = table(seed=2)
    report = judge(frame.assign(distance=frame["distance"] * 1000))
    assert "column_is_like_before on distance: found distance 0." in report.warnings[0]
    flipped = frame.assign(late=np.where(frame["late"] == "yes", "no", "yes"))
    assert "labels_agree_with_before on late" in judge(flipped).refused


def test_rows_that_come_back_from_quarantine_are_not_compared(judge, table):
    report = judge(table(seed=2).assign(distance=1e6), replays=True)
    assert (report.refused, report.warnings) == (None, [])
