"""A batch's validation as one self-contained HTML page: what was read, what was found, how it was before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

from pipelines.clock import now
from pipelines.errors import writing
from pipelines.files import write_whole
from pipelines.home import Home
from pipelines.ledger import Ledger
from pipelines.records import Batch, Intake, RowCounts, RuleResult, ValidationReport, count_rows
from pipelines.reporting.templates import page_template

MOST_BATCHES = 20  # more would be too thin to read
MOST_SOURCES = 50
MOST_EXAMPLES = 5
LONGEST_EXAMPLE = 120

# Symbol and words, so that nothing is said by colour alone; the class gives the colour.
VERDICTS = {
    "holds": ("pass", "✓", "holds"),
    "tolerated": ("pass", "✓", "holds, within its share"),
    "warn": ("drift", "◆", "warns"),
    "quarantine": ("drift", "▲", "rows set aside"),
    "refuse": ("fail", "✕", "refuses the batch"),
}
STATES = {
    "accepted": ("pass", "✓", "accepted"),
    "quarantine": ("drift", "▲", "accepted in part"),
    "aside": ("drift", "▲", "all set aside"),
    "refused": ("fail", "✕", "refused"),
    "empty": ("none", "○", "nothing new"),
}

Kind = Literal["clean", "broken", "refuse", "warn", "absent"]


@dataclass(frozen=True)
class Bar:
    """One batch in a rule's history: `height` from 0 to 1, and what to say of it."""

    kind: Kind
    height: float
    title: str


@dataclass(frozen=True)
class RuleLine:
    """A rule as the table shows it."""

    result: RuleResult
    verdict: tuple[str, str, str]
    share: float | None
    found: str
    examples: list[str]
    history: list[Bar]
    said: str


@dataclass(frozen=True)
class BatchLine:
    """One of the last batches; `page` is the name of its own page, where there is one."""

    id: str
    created: datetime
    state: tuple[str, str, str]
    rows: RowCounts
    page: str | None


def write_page(home: Home, batch: Batch, report: ValidationReport) -> Path:
    """Write the page of a batch under the pipeline's reports; its path.

    The history of its rules is the ledger's: the reports of the batches before this one.
    """
    path = home.pipeline(batch.pipeline).validation_page(batch.id)
    folder = path.parent
    folder.mkdir(parents=True, exist_ok=True)
    earlier = before(Ledger.open(home).intakes(batch.pipeline), batch.id)
    written = {path.name for path in folder.glob("*.html")}
    text = render_page(batch, report, earlier, now(), written)
    with writing("the page", folder, "nothing of the batch was taken in"):
        write_whole(path, text)
    return path.absolute()


def before(intakes: Sequence[Intake], batch_id: str) -> list[Intake]:
    """The batches that were closed before `batch_id`, oldest first, as many as the page shows."""
    ids = [intake.batch.id for intake in intakes]
    end = ids.index(batch_id) if batch_id in ids else len(ids)
    closed = [intake for intake in intakes[:end] if intake.report is not None and intake.state != "staged"]
    return closed[1 - MOST_BATCHES :]


def render_page(
    batch: Batch,
    report: ValidationReport,
    earlier: Sequence[Intake],
    written: datetime,
    pages: set[str] | frozenset[str] = frozenset(),
) -> str:
    """The page as HTML that fetches nothing; `pages` are the names of the pages that can be linked to."""
    this = Intake(batch=batch, state="staged", created=written, report=report)
    intakes = [*earlier, this]
    lines = [rule_line(result, intakes) for result in report.results]
    return page_template("pipelines.validation").render(
        batch=batch,
        report=report,
        written=written,
        rows=count_rows(batch, report),
        state=state_of(batch, report),
        sentence=state_sentence(batch, report),
        refusals=(report.refused or "").splitlines(),
        notes=list(dict.fromkeys([*batch.warnings, *report.warnings])),
        sources=batch.sources[:MOST_SOURCES],
        rules=sorted(lines, key=gravity),
        batches=[batch_line(intake, pages) for intake in reversed(intakes)],
        steps=next_steps(batch, report),
    )


# ------------------------------------------------------------------------------------------ words


def state_of(batch: Batch, report: ValidationReport) -> tuple[str, str, str]:
    if report.refused:
        return STATES["refused"]
    if batch.rows == 0 or not report.quarantined:
        return STATES["accepted" if batch.rows else "empty"]
    return STATES["quarantine" if report.accepted else "aside"]


def state_sentence(batch: Batch, report: ValidationReport) -> str:
    """What became of the batch, in a sentence."""
    if report.refused:
        return f"Refused: none of the {report.rows:,} rows was used, and the data is what it was before."
    if batch.rows == 0:
        return (
            "Nothing waits."
            if batch.replays
            else f"Nothing new: all {batch.known:,} rows read are held already."
        )
    waits = "waits" if report.quarantined == 1 else "wait"
    waiting = f"; {report.quarantined:,} {waits} in quarantine" if report.quarantined else ""
    if batch.replays:
        return f"{report.accepted:,} of {report.rows:,} rows are back from quarantine{waiting}."
    return f"{report.accepted:,} of {report.rows:,} new rows were accepted{waiting}."


def next_steps(batch: Batch, report: ValidationReport) -> list[tuple[str, str]]:
    """What to do about it: words, and a command where there is one."""
    if report.refused:
        again = f"quarantine {batch.pipeline} replay" if batch.replays else f"ingest {batch.pipeline}"
        return [
            (
                "Mend the source, or the rule in pipeline.yaml if the rule is what is wrong, then:",
                f"evergreen {again}",
            ),
            ("The rows as they were staged are kept here, to look at:", batch.folder),
        ]
    if not report.quarantined:
        return []
    name = f"evergreen quarantine {batch.pipeline}"
    return [
        ("See which rows wait, and why:", f"{name} list"),
        ("Write them to a file, and repair them there:", f"{name} export --output waiting.csv"),
        ("Bring the repaired rows back:", f"{name} replay --input waiting.csv"),
        ("Or, after a change of the rules, bring back those that fit now:", f"{name} replay"),
    ]


def batch_line(intake: Intake, pages: set[str] | frozenset[str]) -> BatchLine:
    batch, report, name = intake.batch, intake.report, f"{intake.batch.id}.html"
    assert report is not None  # noqa: S101 - `before` keeps those that have one
    return BatchLine(
        id=batch.id,
        created=intake.created,
        state=state_of(batch, report),
        rows=count_rows(batch, report),
        page=name if name in pages and intake.state != "staged" else None,
    )


# ------------------------------------------------------------------------------------------ rules


def rule_line(result: RuleResult, intakes: Sequence[Intake]) -> RuleLine:
    """A rule with its history over `intakes`, the last of which is this batch."""
    found = [(intake, find_rule(result, intake)) for intake in intakes]
    shares = [share_of(then, intake.report.rows if intake.report else 0) for intake, then in found]
    highest = max((share for share in shares if share), default=0.0)
    broken = sum(then is not None and not then.passed for _, then in found)
    checked = sum(then is not None for _, then in found)
    rows = intakes[-1].report.rows if intakes[-1].report else 0
    return RuleLine(
        result=result,
        verdict=VERDICTS[verdict_of(result)],
        share=share_of(result, rows) if result.unexpected else None,
        found=words_of(result),
        examples=[clip(example) for example in result.examples[:MOST_EXAMPLES]],
        history=[
            history_bar(intake, then, share, highest)
            for (intake, then), share in zip(found, shares, strict=True)
        ],
        said=f"broken in {broken} of {checked}" if checked > 1 else "first time checked",
    )


def find_rule(result: RuleResult, intake: Intake) -> RuleResult | None:
    """The same rule on the same column in another batch."""
    results = intake.report.results if intake.report else []
    return next((r for r in results if (r.rule, r.column) == (result.rule, result.column)), None)


def share_of(result: RuleResult | None, rows: int) -> float | None:
    """The share of rows that are not as expected; None where the rule was not checked."""
    return None if result is None else result.unexpected / rows if rows else 0.0


def history_bar(intake: Intake, then: RuleResult | None, share: float | None, highest: float) -> Bar:
    """One bar, as high as the share of failing rows beside the highest; a broken batch rule is full."""
    day = f"{intake.created:%-d %b %Y}, batch {intake.batch.id}"
    if then is None:
        return Bar("absent", 0.0, f"{day}: not checked")
    if not then.passed and not then.unexpected:
        return Bar("warn" if then.on_failure == "warn" else "refuse", 1.0, f"{day}: broken")
    height = (share or 0.0) / highest if highest else 0.0
    said = f"{day}: {then.unexpected:,} rows, {share or 0:.2%}"
    if then.passed:
        return Bar("clean", height, said)
    kinds: dict[str, Kind] = {"warn": "warn", "fail": "refuse", "quarantine": "broken"}
    return Bar(kinds[then.on_failure], height, said)


def verdict_of(result: RuleResult) -> str:
    if result.passed:
        return "tolerated" if result.unexpected else "holds"
    if result.on_failure == "quarantine" and result.unexpected:
        return "quarantine"
    return "warn" if result.on_failure == "warn" else "refuse"


def gravity(line: RuleLine) -> tuple[int, int]:
    """What refuses first, then what sets aside, then warnings; more rows before fewer."""
    order = ["refuse", "quarantine", "warn", "tolerated", "holds"]
    return order.index(verdict_of(line.result)), -line.result.unexpected


def words_of(result: RuleResult) -> str:
    """What was found, without the rule's name and the examples, which have their own place."""
    name = f"{result.rule} on {result.column}" if result.column else result.rule
    words = result.message.removeprefix(f"{name}: ")
    return words.partition(", such as ")[0] if result.examples else words


def clip(text: str) -> str:
    return text if len(text) <= LONGEST_EXAMPLE else f"{text[: LONGEST_EXAMPLE - 1]}…"
