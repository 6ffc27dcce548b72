"""The page is complete, harmless and says what the story says."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from html.parser import HTMLParser

import pytest

from pipelines.records import Promotion
from pipelines.reporting import Story, render_report

VOID = {"meta", "link", "br", "img", "hr", "input"}


class Outline(HTMLParser):
    """Tags that are open, and every tag and attribute seen."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[str] = []
        self.attributes: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append(tag)
        self.attributes |= {name for name, _ in attrs}
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def outline(page: str) -> Outline:
    parser = Outline()
    parser.feed(page)
    assert parser.open == []
    return parser


@pytest.fixture
def empty() -> Story:
    return Story(
        pipeline="rides", metric="auc", higher_is_better=True, generated=datetime(2026, 1, 1, tzinfo=UTC)
    )


def test_page_is_sound_and_self_contained(story: Story) -> None:
    page = render_report(story)
    found = outline(page)
    assert not {"script", "link", "img", "iframe"} & set(found.seen)
    assert not {"src", "href", "onclick"} & found.attributes
    assert not re.search(r"https?://|@import|url\(", page)


def test_names_are_harmless(story: Story) -> None:
    evil = '"><script>alert(1)</script>'
    window = story.windows[0].model_copy(update={"reason": evil})
    attempt = story.attempts[0].model_copy(update={"cause": evil, "id": evil, "metrics": {evil: 1.0}})
    page = render_report(
        story.model_copy(
            update={"pipeline": evil, "metric": evil, "windows": [window], "attempts": [attempt]}
        )
    )
    assert "script" not in outline(page).seen
    assert "&lt;script&gt;" in page


def test_story_is_told(story: Story) -> None:
    page = render_report(story)
    for words in (
        "Version 2 is champion since 3 Feb 2026, 09:28 UTC",
        "has too few rows to judge",
        "v2 promoted",
        "run inconclusive",
    ):
        assert words in page
    for cause in story.causes:
        assert cause.reason in page
    for gate in story.attempts[1].gates:
        assert gate.reason in page


def test_cause_without_a_run_is_waiting(story: Story) -> None:
    without = [attempt for attempt in story.attempts if attempt.cause_id != "degraded-1"]
    assert "Waiting for a training run" in render_report(story.model_copy(update={"attempts": without}))
    assert "Waiting for a training run" not in render_report(story)


def test_nothing_yet(empty: Story) -> None:
    page = render_report(empty)
    outline(page)
    assert "No champion yet: no training run yet." in page
    assert "No window has been judged yet" in page
    assert "<svg class" not in page


def test_champion_without_windows(empty: Story) -> None:
    first = Promotion(
        pipeline="rides",
        seq=1,
        version=1,
        previous=None,
        attempt="a",
        cause=None,
        why="first",
        since=datetime(2026, 1, 1, tzinfo=UTC),
    )
    page = render_report(empty.model_copy(update={"champions": [first]}))
    assert "Version 1 is champion since 1 Jan 2026, 00:00 UTC; no window has been judged yet." in page


def test_higher_is_better_is_said(empty: Story) -> None:
    assert "auc, higher is better" in render_report(empty)
