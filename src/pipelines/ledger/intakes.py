"""Pipelines by name, and the batches that were taken in for them."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from pipelines.clock import now
from pipelines.errors import UsageError
from pipelines.ledger import tables
from pipelines.ledger.engine import Database
from pipelines.records import Batch, Intake, IntakeState, ValidationReport


class Intakes(Database):
    """Which pipelines there are, and what became of each batch."""

    def name_pipeline(self, name: str, definition: Path) -> None:
        """Remember where a pipeline's definition lies, so that its name is enough from now on."""
        self._upsert(tables.pipelines, {"name": name, "definition": str(definition.absolute())}, ["name"])

    def definition(self, name: str) -> Path:
        """Where the definition of the pipeline `name` lies. Raises UsageError where there is none."""
        row = self._row(sa.select(tables.pipelines.c.definition).where(tables.pipelines.c.name == name))
        if row is None:
            known = ", ".join(self.pipelines()) or "none"
            raise UsageError(
                f"No pipeline named {name!r} is known here (known: {known}).",
                "Give the path of its pipeline.yaml.",
            )
        return Path(row.definition)

    def pipelines(self) -> list[str]:
        return [row.name for row in self._rows(sa.select(tables.pipelines).order_by(tables.pipelines.c.name))]

    def open_intake(self, batch: Batch) -> None:
        """Store a staged batch; one that was refused before is open again, one that was accepted stays so."""
        table = tables.batches
        values = {
            "pipeline": batch.pipeline,
            "id": batch.id,
            "created": now(),
            "state": "staged",
            "batch": batch.model_dump(mode="json"),
        }
        changed = {key: values[key] for key in ("created", "state", "batch")}
        statement = sqlite_insert(table).values(values)
        statement = statement.on_conflict_do_update(
            index_elements=["pipeline", "id"], set_=changed, where=table.c.state != "accepted"
        )
        with self.engine.begin() as connection:
            connection.execute(statement)

    def close_intake(self, report: ValidationReport, state: IntakeState, version: int | None = None) -> None:
        """Store what the checks said of a batch and what became of it."""
        table = tables.batches
        values = {"report": report.model_dump(mode="json"), "state": state, "version": version}
        mine = (table.c.pipeline == report.pipeline) & (table.c.id == report.batch)
        with self.engine.begin() as connection:
            connection.execute(sa.update(table).where(mine).values(values))

    def intakes(self, pipeline: str, state: IntakeState | None = None) -> list[Intake]:
        """A pipeline's batches, oldest first."""
        table = tables.batches
        query = sa.select(table).where(table.c.pipeline == pipeline).order_by(table.c.created, table.c.id)
        query = query.where(table.c.state == state) if state else query
        columns = ("batch", "state", "created", "report", "version")
        return [Intake(**{name: getattr(row, name) for name in columns}) for row in self._rows(query)]
