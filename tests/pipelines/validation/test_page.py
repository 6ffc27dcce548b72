"""A batch's page says what became of its rows, shows each rule's past, and obeys nothing that data says."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from pipelines.home import Home
from pipelines.ledger import Ledger
from pipelines.records import Batch, Intake, Mark, OnFailure, RuleResult, SourceRead, ValidationReport
from pipelines.validation.page import MOST_BATCHES, render_page, write_page

EVIL = "<script>alert(1)</script><img src=x onerror=y>\"'{{ 7*7 }}\x1b[31m\u202e=1+1\n"
NOON = datetime(2026, 3, 1, 12)
VOID = {"meta", "br"}


class Outline(HTMLParser):
    """The tags and attributes of a page; what is opened is closed."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.attributes: dict[str, set[str]] = {}
        self.feed(page)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        for name, value in attrs:
            self.attributes.setdefault(name, set()).add(value or "")
        if tag not in VOID and tag != "wbr":
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag


def make_batch(number: int = 99, rows: int = 100, **more: Any) -> Batch:
    source = SourceRead(uri="s3://b/day.csv", stamp="s", rows=rows, bytes=10, found={"delimiter": "\t"})
    given = {"known": 7, "sources": [source], "folder": "incoming/x", **more}
    return Batch(pipeline="shop", id=f"{number:016x}", rows=rows, **given)


def make_result(
    unexpected: int = 0, on_failure: OnFailure = "quarantine", rule: str = "in_range", **more: Any
) -> RuleResult:
    given = {"column": "size", "passed": unexpected == 0, "message": "said", **more}
    return RuleResult(rule=rule, on_failure=on_failure, unexpected=unexpected, **given)


def make_report(
    results: list[RuleResult], number: int = 99, rows: int = 100, **more: Any
) -> ValidationReport:
    bad = max((r.unexpected for r in results if not r.passed), default=0)
    given = {"quarantined": bad, **more}
    return ValidationReport(pipeline="shop", batch=f"{number:016x}", rows=rows, results=results, **given)


def make_intake(number: int, results: list[RuleResult]) -> Intake:
    report = make_report(results, number)
    created = NOON + timedelta(days=number)
    return Intake(batch=make_batch(number), state="accepted", created=created, report=report)


def words_of(page: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", page.replace("<wbr>", "")).split())


def test_the_page_is_sound_and_fetches_nothing() -> None:
    page = render_page(make_batch(), make_report([make_result(3)]), [], NOON)
    found = Outline(page)
    assert not {"script", "link", "img", "iframe"} & found.tags
    assert not {"src", "href", "onclick"} & set(found.attributes)
    assert not re.search(r"https?://|@import|url\(", page)
    assert "prefers-color-scheme: dark" in page


def test_row_arithmetic_stands_first() -> None:
    page = words_of(render_page(make_batch(), make_report([make_result(3)]), [], NOON))
    assert "107 read = 7 known before + 97 accepted + 3 in quarantine + 0 refused" in page
    assert page.index("107 read") < page.index("in_range")


def test_what_stands_in_data_is_not_obeyed() -> None:
    evil = make_result(3, rule=EVIL, column=EVIL, message=EVIL, examples=[EVIL])
    mark = Mark(kind="text", value=EVIL, origin="")
    source = SourceRead(uri=EVIL, stamp="s", rows=1, found={EVIL: EVIL}, watermark=mark)
    batch = make_batch(sources=[source], warnings=[EVIL], folder=EVIL)
    for refused in (None, EVIL):
        report = make_report([evil], refused=refused, warnings=[EVIL])
        page = render_page(batch, report, [], NOON)
        found = Outline(page)
        assert not {"script", "img"} & found.tags
        assert "onerror" not in found.attributes
        assert not {"\x1b", "\u202e"} & set(page)
        assert "{{ 7*7 }}" in page.replace("&#39;", "'")
        assert "\\x1b[31m\\u202e=1+1\\n" in page


def test_a_refusal_is_told_first_with_the_way_out() -> None:
    broken = make_result(0, "fail", passed=False, rule="row_count", column=None)
    report = make_report([make_result(5), broken], refused="too few rows\ntoo many bad ones")
    page = render_page(make_batch(), report, [], NOON)
    said = words_of(page)
    assert "none of the 100 rows was used" in said
    assert "0 in quarantine + 100 refused" in said
    assert said.index("too few rows") < said.index("too many bad ones") < said.index("What to do next")
    assert "evergreen ingest shop" in said
    assert said.index("row_count") < said.index("in_range")  # what refuses comes first


def test_what_waits_has_the_commands_that_bring_it_back() -> None:
    said = words_of(render_page(make_batch(), make_report([make_result(3)]), [], NOON))
    for action in ("list", "export --output waiting.csv", "replay --input waiting.csv"):
        assert f"evergreen quarantine shop {action}" in said
    clean = words_of(render_page(make_batch(), make_report([make_result()]), [], NOON))
    assert "evergreen quarantine" not in clean


def test_a_replay_speaks_of_rows_that_come_back() -> None:
    batch = make_batch(rows=5, known=0, sources=[], replays=True)
    said = words_of(render_page(batch, make_report([make_result(2)], rows=5), [], NOON))
    assert "3 of 5 rows are back from quarantine; 2 wait" in said
    assert "5 tried again" in said


def test_history_shows_the_share_of_each_batch_and_where_a_rule_was_not_there() -> None:
    earlier = [
        make_intake(1, []),
        make_intake(2, [make_result(20)]),
        make_intake(3, [make_result()]),
        make_intake(4, [make_result(2, passed=True)]),
    ]
    page = render_page(make_batch(), make_report([make_result(10)]), earlier, NOON)
    bars = re.findall(r'<rect class="b-(\w+)" .*?height="([\d.]+)".*?<title>(.*?)</title>', page)
    assert [kind for kind, _, _ in bars] == ["absent", "broken", "clean", "clean", "broken"]
    assert [float(height) for _, height, _ in bars] == [2, 20, 2, 2, 10]  # none is no bar at all
    assert "3 Mar 2026, batch 0000000000000002: 20 rows, 20.00%" in bars[1][2]
    assert "broken in 2 of 4" in page


def test_a_rule_of_the_whole_batch_is_broken_or_not() -> None:
    broken = make_result(0, "fail", passed=False, rule="row_count", column=None)
    earlier = [make_intake(1, [broken]), make_intake(2, [make_result(rule="row_count", column=None)])]
    page = render_page(make_batch(), make_report([broken], refused="row_count"), earlier, NOON)
    bars = re.findall(r'<rect class="b-(\w+)" .*?height="([\d.]+)"', page)
    assert bars == [("refuse", "20.0"), ("clean", "2.0"), ("refuse", "20.0")]


@pytest.fixture
def ledger(home: Home) -> Ledger:
    ledger = Ledger.open(home)
    for number in range(1, MOST_BATCHES + 5):
        ledger.open_intake(make_batch(number))
        ledger.close_intake(make_report([make_result(number % 3)], number), "accepted", number)
    return ledger


def test_the_past_comes_from_the_ledger(home: Home, ledger: Ledger) -> None:
    batch = make_batch()
    ledger.open_intake(batch)
    older = write_page(home, make_batch(MOST_BATCHES + 4), make_report([make_result(1)], MOST_BATCHES + 4))
    path = write_page(home, batch, make_report([make_result(3)]))
    assert path == (home.pipeline("shop").reports / "validation" / f"{batch.id}.html").absolute()
    page = path.read_text(encoding="utf-8")
    assert page.count('<rect class="b-') == MOST_BATCHES
    assert Outline(page).attributes["href"] == {older.name}
    assert sorted(p.name for p in Path(path.parent).iterdir()) == sorted([older.name, path.name])


def test_the_page_of_an_older_batch_does_not_know_later_ones(home: Home, ledger: Ledger) -> None:
    page = write_page(home, make_batch(3), make_report([make_result()], 3)).read_text(encoding="utf-8")
    assert page.count('<rect class="b-') == 3


def test_nothing_new_is_said(home: Home) -> None:
    batch = make_batch(rows=0)
    said = words_of(write_page(home, batch, make_report([], rows=0)).read_text(encoding="utf-8"))
    assert "Nothing new: all 7 rows read are held already." in said
    assert "no new row to check" in said
