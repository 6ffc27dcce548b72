"""The rules that hold for every pipeline, without being declared."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pipelines.clock import AHEAD, now
from pipelines.config import PipelineConfig
from pipelines.validation.decide import EXAMPLES, Finding
from pipelines.validation.rows import Broken, row_rule
from pipelines.validation.staged import SEQ, Staged
from pipelines.validation.words import shorten, spell_value

if TYPE_CHECKING:
    from pipelines.records import OnFailure

CLASSES_NAMED = 10


def measure_builtin(config: PipelineConfig, staged: Staged) -> list[Broken]:
    """The findings of the built-in rules about a batch's rows."""
    found = [is_present(config, staged, "target_is_present", config.data.target, "the target to be present")]
    if config.data.timestamp is not None and config.data.timestamp != config.data.target:
        words = "a time, which split and windows go by"
        found.append(is_present(config, staged, "timestamp_is_present", config.data.timestamp, words))
    if config.data.timestamp is not None and config.validation.future is not None:
        found.append(is_past(staged, config.data.timestamp, config.validation.future))
    if config.task == "binary" and config.data.target in staged.columns:
        found.append(Broken(has_two_classes(staged, config.data.target)))
    return found + (read_problems(staged) if "problems" in staged.tables else [])


def is_present(config: PipelineConfig, staged: Staged, rule: str, column: str, expected: str) -> Broken:
    """A row without its target or time teaches nothing, but can be repaired: quarantine."""
    import sqlalchemy as sa

    finding = Finding(rule, column, "quarantine", expected, passed=False)
    if column not in staged.columns:
        observed = f"columns {shorten(', '.join(staged.columns))}"
        return Broken(Finding(rule, column, "fail", expected, passed=False, observed=observed))
    return row_rule(staged, finding, [column], sa.column(column).is_(None))


def is_past(staged: Staged, column: str, on_failure: OnFailure) -> Broken:
    """A row from the year 2099 would be the newest for ever."""
    import sqlalchemy as sa

    latest = (now() + AHEAD).replace(microsecond=0)
    expected = f"a time up to {latest} UTC, a day ahead of the clock"
    finding = Finding("timestamp_is_not_in_the_future", column, on_failure, expected, passed=False)
    return row_rule(staged, finding, [column], sa.column(column) > sa.literal(latest))


def has_two_classes(staged: Staged, target: str) -> Finding:
    """Two classes at most; a batch may well bring one."""
    import sqlalchemy as sa

    column: Any = sa.column(target)
    count = sa.func.count()
    query = sa.select(column, count).select_from(sa.table("batch")).where(column.is_not(None))
    classes = staged.fetch(query.group_by(column).order_by(count.desc(), column).limit(CLASSES_NAMED + 1))
    named = ", ".join(f"{spell_value(value)} ({rows} rows)" for value, rows in classes[:CLASSES_NAMED])
    more = " and more" if len(classes) > CLASSES_NAMED else ""
    return Finding(
        "target_has_two_classes",
        target,
        "fail",
        "two classes, as task: binary says; map the others to these or set task: multiclass",
        passed=len(classes) <= 2,
        observed=f"classes {named}{more}" if classes else "no class",
    )


# ------------------------------------------------------------------------------------------------ reading


def read_problems(staged: Staged) -> list[Broken]:
    """What could not be read, by rule and column: the cells are missing, their rows go to quarantine."""
    kinds = staged.ask(
        f'SELECT rule, "column", count(DISTINCT {SEQ}), first(expected ORDER BY {SEQ}) '  # noqa: S608
        'FROM problems GROUP BY rule, "column" ORDER BY rule, "column"'
    )
    return [to_broken(staged, *kind) for kind in kinds]


def to_broken(staged: Staged, rule: str, column: str, rows: int, expected: str) -> Broken:
    import sqlalchemy as sa

    table = sa.table("problems", *map(sa.column, (SEQ, "rule", "column", "found", "expected")))
    this = sa.and_(table.c.rule == rule, table.c.column == column)
    words = sa.func.quoted_words(table.c.found)
    query = sa.select(words).select_from(table).where(this).order_by(table.c[SEQ]).limit(50)
    examples = tuple(dict.fromkeys(str(row[0]) for row in staged.fetch(query)))[:EXAMPLES]
    reason: Any = sa.func.concat(f"{column}: found ", words, ", expected ", sa.func.visible(table.c.expected))
    finding = Finding(rule, column, "quarantine", shorten(expected), False, int(rows), examples)
    return Broken(finding, table, this, words, reason)
