"""Geometry: what is drawn lies where the numbers say."""

from __future__ import annotations

import math
from datetime import datetime, timedelta

import pytest

from pipelines.records import ColumnDrift, Interval, Quality, WindowJudgment
from pipelines.reporting import charts, words
from pipelines.reporting import heat as heat_map
from pipelines.reporting.story import Story


@pytest.fixture
def windows(story: Story) -> list[WindowJudgment]:
    return sorted(story.windows, key=lambda w: w.measure.start)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (0.12345, "0.123"),
        (24.06, "24.1"),
        (1234.5, "1,234"),
        (-3.2, "-3.20"),
        (1e12, "1.00e+12"),
        (math.nan, "\N{EN DASH}"),
    ],
)
def test_number(value: float, text: str) -> None:
    assert words.number(value) == text


@pytest.mark.parametrize(
    ("numbers", "texts"),
    [
        ((0.912345, 0.9081, 0.9166), ("0.9123", "0.9081", "0.9166")),
        ((0.0086, -0.00006, 0.0172), ("0.0086", "-0.0001", "0.0172")),  # below 0, if only just
        ((62.32, 57.2, 70.9), ("62.3", "57.2", "70.9")),
        ((1234.5, 1100.2, 1300.4), ("1,234", "1,100", "1,300")),
        ((0.5, 0.5, 0.5), ("0.500", "0.500", "0.500")),
        ((0.5, math.nan, math.nan), ("0.500", "\N{EN DASH}", "\N{EN DASH}")),
    ],
)
def test_a_value_is_as_exact_as_its_interval(
    numbers: tuple[float, float, float], texts: tuple[str, str, str]
) -> None:
    assert words.with_interval(*numbers) == texts


@pytest.mark.parametrize(("count", "text"), [(812, "812 B"), (4200, "4.20 kB"), (1_310_000_000, "1.31 GB")])
def test_size(count: float, text: str) -> None:
    assert words.size(count) == text


@pytest.mark.parametrize(
    ("start", "days", "text"),
    [
        (datetime(2025, 6, 7), 7, "7 \N{EN DASH} 13 Jun"),
        (datetime(2025, 6, 28), 7, "28 Jun \N{EN DASH} 4 Jul"),
        (datetime(2025, 6, 7), 1, "7 Jun"),
    ],
)
def test_span(start: datetime, days: int, text: str) -> None:
    assert words.span(start, start + timedelta(days=days)) == text


def test_span_of_hours() -> None:
    assert (
        words.span(datetime(2025, 6, 7, 6), datetime(2025, 6, 7, 9)) == "7 Jun 06:00 \N{EN DASH} 7 Jun 09:00"
    )


@pytest.mark.parametrize(("low", "high"), [(0, 1), (22.9, 59.3), (-5, 3), (7, 7), (0, 0), (1e-5, 3e-5)])
def test_ticks_enclose(low: float, high: float) -> None:
    ticks = charts.nice_ticks(low, high)
    assert ticks[0] <= low <= high <= ticks[-1]
    assert 2 <= len(ticks) <= 7


def test_no_windows_no_chart(story: Story) -> None:
    assert charts.timeline(story, []) is None


def test_windows_fill_the_axis_in_order(story: Story, windows: list[WindowJudgment]) -> None:
    drawn = charts.timeline(story, windows)
    assert drawn is not None
    assert drawn.windows[0].x == charts.LEFT
    assert drawn.windows[-1].x + drawn.windows[-1].width == pytest.approx(
        charts.WIDTH - charts.RIGHT, abs=0.2
    )
    for mark in drawn.windows:
        if mark.realised is not None:
            assert mark.low is not None
            assert mark.high is not None
            assert drawn.quality_top <= mark.high < mark.realised < mark.low <= drawn.quality_bottom
    assert [(lane.version, lane.shade) for lane in drawn.lanes] == [(1, 0), (2, 1)]


def test_markers_follow_event_time_in_a_replay(story: Story, windows: list[WindowJudgment]) -> None:
    drawn = charts.timeline(story, windows)
    assert drawn is not None
    spots = {marker.label: marker.x for marker in drawn.markers}
    assert spots["v1 promoted"] == drawn.windows[0].x
    assert spots["run inconclusive"] == drawn.windows[5].x
    assert spots["v2 promoted"] == drawn.windows[6].x
    running = [attempt.model_copy(update={"status": "unfinished"}) for attempt in story.attempts]
    drawn = charts.timeline(story.model_copy(update={"attempts": running}), windows)
    assert drawn is not None
    assert {marker.kind for marker in drawn.markers} == {"promoted"}


def test_markers_stand_at_the_clock_when_live(story: Story, windows: list[WindowJudgment]) -> None:
    since = windows[2].measure.start
    champion = story.champions[1].model_copy(update={"cause": None, "since": since})
    drawn = charts.timeline(story.model_copy(update={"champions": [champion], "attempts": []}), windows)
    assert drawn is not None
    assert [marker.x for marker in drawn.markers] == [drawn.windows[2].x]


def test_unlabelled_and_infinite_quality_is_left_out(story: Story, windows: list[WindowJudgment]) -> None:
    nowhere = Interval(value=math.nan, low=math.nan, high=math.nan)
    broken = windows[3].measure.model_copy(
        update={"quality": Quality(metric="rmse", labelled=9, realised=nowhere, expected=1)}
    )
    drawn = charts.timeline(
        story, [*windows[:3], windows[3].model_copy(update={"measure": broken}), *windows[4:]]
    )
    assert drawn is not None
    assert drawn.windows[3].realised is None
    assert drawn.windows[7].realised is None
    assert len(drawn.paths) == 2


def test_heat_puts_the_worst_first(windows: list[WindowJudgment]) -> None:
    rows, hidden = heat_map.heat_rows(windows, most=3)
    assert [row.column for row in rows] == ["temperature", "price", "wind"]
    assert hidden == 5
    assert rows[0].cells[-1] is None
    hottest = rows[0].cells[2]
    assert hottest is not None
    assert hottest.drifted
    assert hottest.text == "22.8"


@pytest.mark.parametrize(
    ("score", "threshold", "heat"), [(0, 0.1, 0), (0.1, 0.1, 14), (0.8, 0.1, 100), (5, 0.1, 100), (1, 0, 0)]
)
def test_heat_grows_with_the_score(
    windows: list[WindowJudgment], score: float, threshold: float, heat: int
) -> None:
    column = ColumnDrift(column="a", method="psi", score=score, threshold=threshold)
    assert heat_map.heat_cell(column, windows[0]).heat == heat
