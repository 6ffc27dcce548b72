"""The Markdown of a validation says the same as the page, and data cannot break out of its cell."""

from __future__ import annotations

from pathlib import Path

from pipelines.records import Batch, RuleResult, ValidationReport
from pipelines.validation.report import render_validation

EVIL = "<script>alert(1)</script> | [x](javascript:y)\n| new | row |\x1b[31m"
BATCH = Batch(pipeline="shop", id="b1", folder="f", rows=40, known=2, sources=[], warnings=[f"Column {EVIL}"])
RESULT = RuleResult(
    rule="in_set",
    column=EVIL,
    on_failure="quarantine",
    passed=False,
    unexpected=1,
    message=EVIL,
    examples=[EVIL] * 9,
)
REPORT = ValidationReport(pipeline="shop", batch="b1", rows=40, quarantined=1, results=[RESULT, RESULT])


def test_the_table_cannot_be_broken_by_data() -> None:
    text = render_validation(BATCH, REPORT, Path("/home/b1.html"))
    table = [line for line in text.splitlines() if line.startswith("|")]
    assert len(table) == 2 + len(REPORT.results)
    assert all(line.replace("\\|", "").count("|") == 8 for line in table)
    assert "<script" not in text
    assert "\x1b" not in text
    assert text.replace("\\](", "").count("](") == 1  # the page's


def test_it_has_the_row_arithmetic_and_the_way_to_the_page() -> None:
    text = render_validation(BATCH, REPORT, Path("/a home/b1.html"))
    assert "39 of 40 rows; 1 in quarantine" in text
    assert "read 42 = 2 known + 39 accepted + 1 quarantined + 0 refused" in text
    assert "](file:///a%20home/b1.html): `/a home/b1.html`" in text


def test_a_refusal_gives_each_reason() -> None:
    refused = REPORT.model_copy(update={"refused": "too few rows\ntoo many bad ones", "quarantined": 0})
    text = render_validation(BATCH, refused, Path("/b1.html"))
    assert "**Refused**: none of the 40 rows" in text
    assert "- too few rows\n- too many bad ones" in text
    assert "0 quarantined + 40 refused" in text
