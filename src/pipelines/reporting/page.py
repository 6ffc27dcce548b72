"""The page's words and its template: one self-contained HTML file, everything from outside escaped."""

from __future__ import annotations

from pipelines.records import WindowJudgment
from pipelines.reporting import charts, words
from pipelines.reporting.heat import heat_rows
from pipelines.reporting.story import Story
from pipelines.reporting.templates import page_template
from pipelines.reporting.tuning import tuning_view

MOST_WINDOWS = 104  # two years of weeks; more would be too thin to read
MOST_HEAT_WINDOWS = 26
MOST_BATCHES = 20
MOST_SOURCES = 3  # of a batch; the rest is counted

VERDICTS = {  # symbol and words, so that nothing is said by colour alone
    "healthy": ("●", "healthy"),
    "drift": ("◆", "drift"),
    "degraded": ("▲", "degraded"),
    "insufficient": ("○", "too few rows"),
}
BATCHES = {
    "accepted": ("pass", "✓", "accepted"),
    "refused": ("fail", "✕", "refused"),
    "staged": ("none", "○", "not judged yet"),
}
GATES = {"pass": "✓", "fail": "✕", "inconclusive": "?"}


def render_report(story: Story) -> str:
    """The story as one HTML page without anything fetched from elsewhere."""
    windows = sorted(story.windows, key=lambda w: w.measure.start)
    champions = sorted(story.champions, key=lambda p: p.seq)
    shown, heated = windows[-MOST_WINDOWS:], windows[-MOST_HEAT_WINDOWS:]
    rows, hidden_columns = heat_rows(heated)
    tuned = max((a for a in story.attempts if a.trials), key=lambda a: a.started, default=None)
    return page_template("pipelines.reporting").render(
        story=story,
        verdicts=VERDICTS,
        gate_symbols=GATES,
        batch_states=BATCHES,
        batches=sorted(story.batches, key=lambda b: b.created, reverse=True)[:MOST_BATCHES],
        most_sources=MOST_SOURCES,
        windows=windows,
        shown=shown,
        heated=heated,
        champion=champions[-1] if champions else None,
        champions=champions[::-1],
        attempts=sorted(story.attempts, key=lambda a: a.started, reverse=True),
        last=windows[-1] if windows else None,
        state=state_sentence(story),
        alarms=sum(w.verdict in {"drift", "degraded"} for w in windows),
        unanswered=unanswered(story),
        timeline=charts.timeline(story, shown),
        heat=rows,
        hidden_columns=hidden_columns,
        tuned=tuned,
        tuning=tuning_view(tuned.trials) if tuned else None,
    )


def state_sentence(story: Story) -> str:
    """Who is champion since when, and what the last window said."""
    if not story.champions:
        tried = f"{len(story.attempts)} training runs so far" if story.attempts else "no training run yet"
        return f"No champion yet: {tried}."
    champion = max(story.champions, key=lambda p: p.seq)
    standing = f"Version {champion.version} is champion since {words.moment(champion.since)}"
    if not story.windows:
        return f"{standing}; no window has been judged yet."
    last = max(story.windows, key=lambda w: w.measure.start)
    days = words.span(last.measure.start, last.measure.end)
    return f"{standing}; the last window, {days}, {verdict_words(last)}."


def verdict_words(window: WindowJudgment) -> str:
    said = {
        "healthy": "is healthy",
        "drift": "shows drift in the inputs",
        "degraded": "shows a loss of quality",
        "insufficient": "has too few rows to judge",
    }[window.verdict]
    return f"{said} and asked for a new model" if window.decision == "retrain" else said


def unanswered(story: Story) -> list[str]:
    """Causes that no training run names: `kind: reason`; a person's is stored when the run has begun."""
    answered = {attempt.cause_id for attempt in story.attempts} | {p.cause for p in story.champions}
    return [
        f"{cause.kind}: {cause.reason}"
        for cause in story.causes
        if cause.id not in answered and cause.kind != "person"
    ]
