"""Rows that break a rule: their examples, their number and, written by DuckDB, their reasons."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.validation.decide import EXAMPLES, Finding, sets_rows_aside
from pipelines.validation.staged import SEQ, Staged

if TYPE_CHECKING:
    import sqlalchemy as sa

LOOKED_AT = 50  # failing rows among which examples are looked for


@dataclass(frozen=True)
class Broken:
    """A finding and its rows: the `_seq` of `table` where `condition` holds, with what was found as `words`.

    Without a condition the finding names no rows.
    """

    finding: Finding
    table: Any = None
    condition: Any = None
    words: Any = None
    reason: Any = None  # SQL of a whole reason, where it is not made of `words`


def batch_table() -> sa.TableClause:
    import sqlalchemy as sa

    return sa.table("batch")


def words_of(staged: Staged, columns: Sequence[str]) -> Any:
    """SQL of the values of some columns in words, as `-3.0`, `'abc'`, `nothing` or `(1.0, 2.0)`."""
    import sqlalchemy as sa

    known = [name for name in columns if name in staged.columns]
    parts: list[Any] = []
    for name in known:
        spell = sa.func.quoted_words if staged.columns[name] == "VARCHAR" else sa.func.plain_words
        parts += [", ", spell(sa.column(name))]
    if len(known) > 1:
        return sa.func.concat("(", *parts[1:], ")")
    return parts[1] if parts else sa.literal("")


def row_rule(staged: Staged, finding: Finding, columns: Sequence[str], condition: Any) -> Broken:
    """The rule that no row of the batch meets `condition`, counted."""
    import sqlalchemy as sa

    query = sa.select(sa.func.count()).select_from(batch_table()).where(condition)
    count = int(staged.fetch(query)[0][0])
    counted = replace(finding, passed=not count, unexpected=count)
    return with_examples(staged, Broken(counted, batch_table(), condition, words_of(staged, columns)))


def with_examples(staged: Staged, broken: Broken) -> Broken:
    """With some of the values that were found, those of the first failing rows."""
    import sqlalchemy as sa

    if broken.condition is None or not broken.finding.unexpected:
        return broken
    query = sa.select(broken.words).select_from(broken.table).where(broken.condition)
    found = staged.fetch(query.order_by(sa.column(SEQ)).limit(LOOKED_AT))
    values = [str(row[0]) for row in found if row[0]]
    return replace(broken, finding=replace(broken.finding, examples=tuple(dict.fromkeys(values))[:EXAMPLES]))


def list_failures(staged: Staged, broken: list[Broken]) -> tuple[str, int]:
    """The rows that go to quarantine: a table of `_seq` and `reason`, a line for each broken rule, and how
    many rows these are.
    """
    import sqlalchemy as sa

    name = staged.create_table(f"{SEQ} BIGINT, reason VARCHAR")
    into = sa.table(name, sa.column(SEQ), sa.column("reason"))
    for rule in broken:
        if sets_rows_aside(rule.finding):
            chosen = sa.select(sa.column(SEQ), row_reason(rule)).select_from(rule.table).where(rule.condition)
            with staged.engine.connect() as connection:
                connection.execute(sa.insert(into).from_select([SEQ, "reason"], chosen))
    return name, int(staged.ask(f"SELECT count(DISTINCT {SEQ}) FROM {name}")[0][0])  # noqa: S608


def row_reason(rule: Broken) -> Any:
    """SQL of why one row is refused: column, what was found, what was expected."""
    import sqlalchemy as sa

    if rule.reason is not None:
        return rule.reason
    finding = rule.finding
    return sa.func.concat(
        f"{finding.column or 'row'}: ",
        sa.case((rule.words == "", ""), else_=sa.func.concat("found ", rule.words, ", ")),
        f"expected {finding.expected}",
    )


def write_failures(staged: Staged, name: str) -> Path:
    """The listed rows as `failures.parquet`, in their order; it is there as a whole or not at all."""
    path = staged.folder / "failures.parquet"
    unfinished = path.with_suffix(".tmp")
    staged.ask(
        f"COPY (SELECT * FROM {name} ORDER BY {SEQ}, rowid) TO $1 (FORMAT parquet)",  # noqa: S608
        [str(unfinished)],
    )
    unfinished.replace(path)
    return path
