"""The scorecard for people: a page under the pipeline's reports, and Markdown."""

from __future__ import annotations

from pathlib import Path

from pipelines.audit.answers import Answer, Status
from pipelines.audit.gather import gather_evidence
from pipelines.audit.scoring import Scorecard, answer_all
from pipelines.config import PipelineConfig
from pipelines.files import write_whole
from pipelines.home import Home
from pipelines.markdown import LONGEST_WORDS, markdown_cell, markdown_table
from pipelines.reporting.templates import page_template

MOST = 7  # points that a section can have
# Class, symbol and words, so that nothing is said by colour alone.
SIGNS: dict[Status, tuple[str, str, str]] = {
    "automated": ("pass", "✓", "automated"),
    "manual": ("inconclusive", "◐", "manual"),
    "missing": ("none", "○", "missing"),
}


def audit_pipeline(home: Home, config: PipelineConfig) -> tuple[Scorecard, Path]:
    """The scorecard of this moment, and its page, which is written anew; Markdown lies beside it."""
    card = answer_all(gather_evidence(home, config))
    folder = home.pipeline(config.pipeline).reports
    folder.mkdir(parents=True, exist_ok=True)
    write_whole(folder / "audit.md", render_markdown(card))
    page = folder / "audit.html"
    write_whole(page, render_page(card))
    return card, page


def render_page(card: Scorecard) -> str:
    """One self-contained HTML page."""
    sections = {name: [a for a in card.answers if a.section == name] for name in card.sections}
    return page_template("pipelines.audit").render(card=card, sections=sections, signs=SIGNS, most=MOST)


def render_markdown(card: Scorecard) -> str:
    """The same as Markdown; what comes from data cannot break out of its cell."""
    parts = [f"# ML Test Score of {markdown_cell(card.pipeline)}: {card.score:g}", f"{card.band}."]
    for name, points in card.sections.items():
        lines = [answer_line(a) for a in card.answers if a.section == name]
        table = markdown_table(["test", "answer", "found", "evidence, or what to do"], lines, LONGEST_WORDS)
        parts += [f"## {name.capitalize()}: {points:g} of {MOST}", table]
    return "\n\n".join(parts) + "\n"


def answer_line(answer: Answer) -> list[str]:
    """A line of a table: test, answer, what was found, where it lies or what to do."""
    found = f"{answer.found}. But: {answer.trouble}" if answer.trouble else answer.found
    return [f"{answer.number}. {answer.name}", answer.answer, found, answer.evidence or answer.to_do or ""]
