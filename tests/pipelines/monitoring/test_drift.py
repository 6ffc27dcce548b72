"""Calm windows are calm, changed ones are caught: known changes, through the real Evidently."""

from datetime import timedelta

import numpy as np
import pandas as pd
import pytest

from pipelines.monitoring import build_reference, measure_drift, read_reference, write_reference
from pipelines.monitoring.calibration import cut_windows

WEEK = timedelta(days=7)
NUMBERS = ("season", "flat", "skewed")
COLUMNS = {**dict.fromkeys(NUMBERS, "number"), "zone": "category", "seen": "time", "note": "text"}


def make_rows(days, start="2023-01-01", seed=0, per_day=24):
    """Rows with a yearly season; `zone` has none, `skewed` has a long tail, a tenth of it missing."""
    chance = np.random.default_rng(seed)
    count = days * per_day
    seen = pd.date_range(start, periods=count, freq="h")
    year = np.sin(2 * np.pi * np.asarray(seen.dayofyear) / 365)
    rows = {
        "season": 10 * year + chance.normal(0, 2, count),
        "flat": chance.normal(0, 1, count),
        "skewed": np.where(chance.random(count) < 0.1, np.nan, chance.lognormal(0, 1.5, count)),
        "zone": chance.choice(list("abcdefgh"), count),
        "seen": seen,
        "note": "x",
    }
    return pd.DataFrame(rows).assign(_prediction=lambda frame: frame["season"] + frame["flat"])


@pytest.fixture(scope="module")
def reference():
    rows = make_rows(365)
    return build_reference(rows, COLUMNS, rows["seen"], WEEK)


def moved(current, reference, html=None):
    drift = measure_drift(current, reference.frame, reference.tests, html)
    return {(column.column, column.method) for column in drift.columns if column.drifted}


def test_the_reference_is_small_seeded_and_has_a_test_for_what_can_drift(reference):
    assert len(reference.frame) == 5000
    assert set(reference.tests) == set(reference.frame) == {"season", "flat", "skewed", "zone", "_prediction"}
    assert {name: test.method for name, test in reference.tests.items()}["zone"] == "jensenshannon"
    rows = make_rows(365)
    again = build_reference(rows, COLUMNS, rows["seen"], WEEK)
    assert again.tests == reference.tests
    assert again.frame.equals(reference.frame)


def test_a_season_widens_its_own_threshold_only(reference):
    assert reference.tests["season"].threshold > 1
    assert reference.tests["flat"].threshold < 0.35
    assert reference.tests["zone"].threshold < 0.35


@pytest.mark.parametrize("start", ["2024-01-08", "2024-03-25", "2024-06-24", "2024-10-07"])
def test_a_calm_week_of_any_season_raises_no_alarm(reference, start):
    assert moved(make_rows(7, start, seed=len(start) + int(start[5:7])), reference) == set()


@pytest.mark.parametrize("days", [2, 7, 60])
def test_a_shift_of_two_deviations_is_caught_in_its_column(reference, days):
    week = make_rows(days, "2024-06-24", seed=5)
    week["flat"] += 2 * reference.frame["flat"].std()
    assert ("flat", "wasserstein") in moved(week, reference)


def test_new_categories_are_caught(reference):
    week = make_rows(7, "2024-06-24", seed=6)
    week.loc[::3, "zone"] = "new"
    assert moved(week, reference) == {("zone", "jensenshannon")}


def test_values_gone_missing_are_caught(reference):
    week = make_rows(7, "2024-06-24", seed=7)
    week.loc[::2, "flat"] = np.nan
    assert moved(week, reference) == {("flat", "missing_share")}


def test_a_column_gone_silent_counts_as_drifted(reference):
    week = make_rows(7, "2024-06-24", seed=8).assign(flat=None, skewed=np.nan).drop(columns="zone")
    assert moved(week, reference) == {(name, "missing") for name in ("flat", "skewed", "zone")}


def test_a_column_that_was_silent_and_speaks_counts_as_drifted():
    rows = make_rows(60).assign(flat=np.nan)
    reference = build_reference(rows, COLUMNS, rows["seen"], WEEK)
    assert ("flat", "missing_share") in moved(make_rows(7, "2023-02-01", seed=9), reference)
    assert moved(make_rows(7, "2023-02-01", seed=9).assign(flat=np.nan), reference) == set()


def test_nothing_to_compare_is_no_drift(reference):
    empty = measure_drift(make_rows(7).head(0), reference.frame, reference.tests, None)
    assert (empty.columns, empty.rows) == ([], 0)
    one = measure_drift(make_rows(1).head(1), reference.frame, reference.tests, None)
    assert one.rows == 1


def test_a_silent_window_writes_no_page(reference, tmp_path):
    silent = make_rows(7).assign(**dict.fromkeys(reference.frame))
    drift = measure_drift(silent, reference.frame, reference.tests, tmp_path / "page.html")
    assert drift.report is None
    assert len(drift.columns) == len(reference.tests)


def test_evidentlys_page_is_kept_and_nothing_is_printed(reference, tmp_path, capfd):
    page = tmp_path / "reports" / "week.html"
    drift = measure_drift(make_rows(7), reference.frame, reference.tests, page)
    assert drift.report == str(page)
    assert "<html" in page.read_text(encoding="utf-8")[:200].lower()
    assert capfd.readouterr() == ("", "")


def test_a_written_reference_judges_the_same(reference, tmp_path):
    files = write_reference(tmp_path / "model", reference)
    again = read_reference(tmp_path / "model")
    week = make_rows(7, "2024-03-25", seed=3)
    assert [file.name for file in files] == ["reference.parquet", "reference.json"]
    assert again.tests == reference.tests
    assert measure_drift(week, *again, None) == measure_drift(week, *reference, None)


def test_without_time_random_chunks_are_the_calm_windows():
    rows = make_rows(100).sample(frac=1, random_state=1)
    reference = build_reference(rows.iloc[:1500], COLUMNS, None, WEEK)
    assert reference.tests["flat"].threshold < 0.35
    assert moved(rows.iloc[1500:], reference) == set()


@pytest.mark.parametrize(
    ("days", "window", "windows"),
    [(365, WEEK, 53), (365, timedelta(hours=24), 60), (14, WEEK, 5), (700, WEEK, 60)],
)
def test_windows_are_cut_along_time(days, window, windows):
    rows = make_rows(days, per_day=24)
    cut = cut_windows(len(rows), rows["seen"], window * (2 if window < WEEK else 1))
    assert abs(len(cut) - windows) <= 1
    spans = [rows["seen"].iloc[group].max() - rows["seen"].iloc[group].min() for group in cut]
    assert max(spans) <= max(window * 2, timedelta(days=7))


@pytest.mark.parametrize("time", [pd.Series([pd.NaT] * 100), pd.Series([pd.Timestamp("2024-01-01")] * 100)])
def test_times_that_tell_nothing_fall_back_to_chunks(time):
    cut = cut_windows(100, time, WEEK)
    assert len(cut) == 10
    assert sorted(np.concatenate(cut)) == list(range(100))


def test_a_column_named_like_an_argument_is_one_like_any_other(tmp_path):
    """Huge, close numbers are shifted before they are compared."""
    frame = pd.DataFrame({"self": 1e16 + 2.0 * np.arange(400)})
    write_reference(tmp_path, build_reference(frame, {"self": "number"}, None, WEEK))
    found = measure_drift(frame, *read_reference(tmp_path), None)
    assert [(column.column, column.drifted) for column in found.columns] == [("self", False)]
