"""The page is complete, harmless and says what the story says."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest

from pipelines.home import Home
from pipelines.ledger import Ledger
from pipelines.records import (
    Attempt,
    Batch,
    Cost,
    Promotion,
    RowCounts,
    Snapshot,
    SourceRead,
    ValidationReport,
)
from pipelines.registration import open_pipeline
from pipelines.reporting import BatchLine, Story, render_report
from pipelines.reporting.gather import write_report
from tests.pipelines.reporting.outline import outline


@pytest.fixture
def empty() -> Story:
    return Story(
        pipeline="rides", metric="auc", higher_is_better=True, generated=datetime(2026, 1, 1, tzinfo=UTC)
    )


NASTY = "/data/<b>day</b>\x1b[31m.csv"


def line(number: int, **more: Any) -> BatchLine:
    day = datetime(2026, 1, 1 + number)
    return BatchLine(id=f"b{number:03}", created=day, state="accepted", sources=["/data/a.csv"], **more)


def test_batches_show_where_their_rows_went(story: Story) -> None:
    counts = RowCounts(read=1200, known=100, accepted=1080, quarantined=20)
    refused = {
        "state": "refused",
        "counts": RowCounts(read=7, known=0, refused=7),
        "refused": "no <i>target</i>",
    }
    lines = [
        line(1, counts=counts, snapshot="rides@4", link="validation/b001.html"),
        line(2).model_copy(update={**refused, "sources": [NASTY, "s3://x/b.csv", "c", "d", "e"]}),
        line(3).model_copy(update={"state": "staged"}),
    ]
    page = render_report(story.model_copy(update={"batches": lines}))
    found = outline(page)
    assert found.links == ["validation/b001.html"]
    data = page[page.index('id="h-data"') : page.index('id="h-runs"')]
    assert data.index("b003") < data.index("b002") < data.index("b001")
    numbers = re.findall(r'<td class="num">([^<]*)</td>', data)
    assert numbers == ["\N{EN DASH}"] * 5 + ["7", "0", "0", "0", "7"] + ["1,200", "100", "1,080", "20", "0"]
    for words in (
        "not judged yet",
        "✕</span> refused",
        "rides@4",
        "&lt;b&gt;day",
        r"\x1b[31m.csv",
        "and 2 more",
    ):
        assert words in data
    assert "no &lt;i&gt;target&lt;/i&gt;" in data
    assert "\x1b" not in page


def test_of_many_batches_the_last_are_shown(story: Story) -> None:
    page = render_report(story.model_copy(update={"batches": [line(n) for n in range(25)]}))
    assert "20 of 25" in page
    assert ("b024" in page, "b004" in page) == (True, False)


def test_the_report_of_a_pipeline_leads_to_its_batches_pages(tmp_path: Path) -> None:
    home = Home(tmp_path / "a home")
    path = home.pipeline("rides").root / "pipeline.yaml"
    path.parent.mkdir(parents=True)
    plain = {
        "pipeline": "rides",
        "task": "binary",
        "metric": "auc",
        "data": {"source": "a.csv", "target": "y"},
    }
    columns = {"x": {"type": "number"}, "y": {"type": "category"}}
    path.write_text(json.dumps({**plain, "columns": columns}))  # JSON is YAML
    name = open_pipeline(home, str(path)).pipeline
    ledger, source = Ledger.open(home), SourceRead(uri="/data/a.csv", stamp="s", rows=4)
    ledger.open_intake(Batch(pipeline=name, id="b1", folder="f", rows=4, known=0, sources=[source]))
    ledger.close_intake(
        ValidationReport(pipeline=name, batch="b1", rows=4, quarantined=1, results=[]), "accepted", 0
    )
    snapshot = Snapshot(pipeline=name, uri="rows", version=0, rows=3, fingerprint="f")
    ledger.start_attempt(Attempt(id="a1", pipeline=name, snapshot=snapshot, folder="a"), {}, {})
    own = home.pipeline(name).reports / "validation" / "b1.html"
    own.parent.mkdir(parents=True)
    own.write_text("here")
    for output in (None, tmp_path / "pages" / "mine.html"):
        written = write_report(home, name, output)
        [link] = outline(written.read_text()).links
        assert (written.parent / unquote(link)).resolve() == own
        assert "rides@0" in written.read_text()
        assert "…</span> unfinished" in written.read_text()


def test_page_is_sound_and_self_contained(story: Story) -> None:
    page = render_report(story)
    found = outline(page)
    assert not {"script", "link", "img", "iframe"} & set(found.seen)
    assert not {"src", "href", "onclick"} & found.attributes
    assert not re.search(r"https?://|@import|url\(", page)


def test_names_are_harmless(story: Story) -> None:
    evil = '"><script>alert(1)</script>\x1b[31m'
    window = story.windows[0].model_copy(update={"reason": evil})
    attempt = story.attempts[0].model_copy(update={"cause": evil, "id": evil, "metrics": {evil: 1.0}})
    page = render_report(
        story.model_copy(
            update={"pipeline": evil, "metric": evil, "windows": [window], "attempts": [attempt]}
        )
    )
    assert "script" not in outline(page).seen
    assert "&lt;script&gt;" in page
    assert "\x1b" not in page


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


def test_what_was_used_and_why_a_run_failed_is_said(story: Story) -> None:
    cost = Cost(cpu_seconds=31.2, gpu_seconds=8, wall_seconds=12, money=0.5, currency="CHF", processes=2)
    failed = {"status": "failed", "gates": [], "failure": "The loss is <NaN>.", "cost": cost}
    attempts = [story.attempts[0].model_copy(update=failed), *story.attempts[1:]]
    costs = {story.champions[0].seq: cost + cost}
    page = render_report(story.model_copy(update={"attempts": attempts, "costs": costs}))
    runs, champions = page[page.index('id="h-runs"') :].split('id="h-champions"')
    for words in ("31.2 CPU s", "8.0 GPU s", "0.5 CHF", "The loss is &lt;NaN&gt;."):
        assert words in runs
    assert "62.4 CPU s" in champions
