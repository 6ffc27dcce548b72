"""A model card as Markdown, as HTML and in short; nothing in it that comes from data is obeyed."""

from __future__ import annotations

from pipelines.cards.card import ModelCard
from pipelines.cards.sections import Section, card_sections, interval_words, reign_words
from pipelines.markdown import LONGEST_WORDS, markdown_cell, markdown_table
from pipelines.reporting.templates import page_template
from pipelines.reporting.words import moment

AFTER = "After Mitchell and others, “Model Cards for Model Reporting”, FAT* 2019."


def render_markdown(card: ModelCard) -> str:
    """The whole card as Markdown."""
    title = f"# Model card: {markdown_cell(card.pipeline)}, version {card.version.version}"
    parts = [title, f"Written {moment(card.written)} UTC from what is stored. {AFTER}"]
    for section in card_sections(card):
        parts += markdown_section(section)
    return "\n\n".join(parts) + "\n"


def markdown_section(section: Section) -> list[str]:
    words = [f"- {markdown_cell(line, LONGEST_WORDS)}" for line in section.words]
    parts = [f"## {section.title}", "\n".join(words)] if words else [f"## {section.title}"]
    if section.head:
        head = [markdown_cell(name) for name in section.head]
        parts.append(markdown_table(head, section.rows, LONGEST_WORDS))
    return parts


def render_page(card: ModelCard) -> str:
    """The whole card as one self-contained HTML page."""
    template = page_template("pipelines.cards")
    return template.render(card=card, sections=card_sections(card), after=AFTER, reign=reign_words)


def render_short(card: ModelCard) -> str:
    """A few lines for MLflow's list of versions, as Markdown."""
    version, evaluation = card.version, card.version.evaluation
    lines = [f"{version.kind} for {card.target}, {reign_words(version.reigns)}."]
    if evaluation is not None and (found := evaluation.intervals.get(card.metric)) is not None:
        lines.append(f"{card.metric} {interval_words(found)} on {evaluation.rows:,} test rows.")
    snapshot = version.attempt.snapshot
    lines.append(f"Learnt from {snapshot.id}, {snapshot.rows:,} rows.")
    lines += [f"Intended use: {' '.join(card.intended_use)}"] if card.intended_use else []
    lines.append("The whole card is model_card.md among the run's artifacts.")
    return "\n\n".join(markdown_cell(line) for line in lines)
