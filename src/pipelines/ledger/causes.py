"""Why trainings were started, and how windows were judged."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from pipelines.clock import now
from pipelines.ledger import tables
from pipelines.ledger.engine import Database
from pipelines.records import Cause, WindowJudgment


class Causes(Database):
    """Causes, until their event has gone out, and the newest judgment of each window."""

    def add_cause(self, cause: Cause, window_end: datetime | None = None) -> bool:
        """Store a cause before anybody is told; False where it was there already."""
        values = {**cause.model_dump(), "window_end": window_end}
        with self.engine.begin() as connection:
            done = connection.execute(sqlite_insert(tables.causes).values(values).on_conflict_do_nothing())
        return done.rowcount == 1

    def cause(self, cause_id: str) -> Cause | None:
        rows = self.causes(ids=[cause_id])
        return rows[0] if rows else None

    def causes(
        self, pipeline: str | None = None, ids: list[str] | None = None, unsent: bool = False
    ) -> list[Cause]:
        """Causes, oldest first; `unsent` keeps those whose event has not gone out."""
        table = tables.causes
        query = sa.select(table).order_by(table.c.created)
        query = query.where(table.c.pipeline == pipeline) if pipeline else query
        query = query.where(table.c.id.in_(ids)) if ids else query
        query = query.where(table.c.sent.is_(None), table.c.window_end.is_not(None)) if unsent else query
        return [
            Cause(**{k: v for k, v in row._asdict().items() if k in Cause.model_fields})
            for row in self._rows(query)
        ]

    def mark_sent(self, cause_id: str) -> None:
        with self.engine.begin() as connection:
            connection.execute(
                sa.update(tables.causes).where(tables.causes.c.id == cause_id).values(sent=now())
            )

    def last_cause_end(self, pipeline: str, before: datetime) -> datetime | None:
        """The end of the latest window before `before` that started a training: the cool-down's start."""
        ends = sa.select(sa.func.max(tables.causes.c.window_end))
        with self.engine.connect() as connection:
            found: datetime | None = connection.scalar(
                ends.where(tables.causes.c.pipeline == pipeline, tables.causes.c.window_end < before)
            )
        return found

    def store_window(self, judgment: WindowJudgment) -> None:
        """Keep the newest judgment of a window."""
        values = {
            "pipeline": judgment.measure.pipeline,
            "start": judgment.measure.start,
            "judgment": judgment.model_dump(mode="json"),
        }
        self._upsert(tables.windows, values, ["pipeline", "start"])

    def windows(self, pipeline: str) -> list[WindowJudgment]:
        table = tables.windows
        rows = self._rows(
            sa.select(table.c.judgment).where(table.c.pipeline == pipeline).order_by(table.c.start)
        )
        return [WindowJudgment.model_validate(row.judgment) for row in rows]
