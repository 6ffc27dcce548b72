"""Attempts: what each was made from, what it cost, how it ended."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from pipelines.clock import now
from pipelines.errors import UsageError
from pipelines.ledger import audit, tables
from pipelines.ledger.engine import Database
from pipelines.ledger.outcomes import amend_outcome, store_outcome
from pipelines.ledger.promotions import read_promotions, reigns
from pipelines.records import Attempt, Cost, StoredAttempt, TrainedModel, TrainOutcome


class Attempts(Database):
    """Every attempt that was started, and the version that came of it."""

    def start_attempt(self, attempt: Attempt, config: dict[str, Any], environment: dict[str, Any]) -> None:
        """Store an attempt the first time it is started, with its definition and surroundings, as JSON.

        Later calls change nothing, but that one which failed and is tried again has its new surroundings, and
        is no failure any more.
        """
        table = tables.attempts
        again = {"config": config, "environment": environment}
        values = {
            "id": attempt.id,
            "pipeline": attempt.pipeline,
            "started": now(),
            "cause": attempt.cause,
            "attempt": attempt.model_dump(mode="json"),
            **again,
        }
        failed = table.c.outcome["status"].as_string() == "failed"
        statement = sqlite_insert(table).values(values)
        statement = statement.on_conflict_do_update(
            index_elements=["id"],
            set_={**again, "outcome": sa.null()},
            where=failed,
        )
        with self.engine.begin() as connection:
            connection.execute(statement)

    def finish_attempt(self, outcome: TrainOutcome) -> None:
        """Store how an attempt ended."""
        with self.writing() as connection:
            store_outcome(connection, outcome)

    def measure_attempt(self, attempt: str, seconds: dict[str, float], cost: Cost | None) -> TrainOutcome:
        """Store how long an attempt took and what it cost, whatever its outcome is by now; that outcome."""
        changes = {"seconds": seconds, "cost": cost}
        with self.writing() as connection:
            return amend_outcome(connection, attempt, changes)

    def record_cost(self, attempt: str, cost: Cost) -> None:
        """Store what an attempt has used so far, all its processes together."""
        values = {"cost": cost.model_dump(mode="json")}
        with self.engine.begin() as connection:
            connection.execute(
                sa.update(tables.attempts).where(tables.attempts.c.id == attempt).values(values)
            )

    def record_version(self, attempt: str, trained: TrainedModel, version: int) -> None:
        """Store the registered version of an attempt and the hashes of its files.

        Raises UsageError where its version before, deleted in MLflow, was champion.
        """
        table, values = tables.attempts, {"trained": trained.model_dump(mode="json"), "version": version}
        with self.writing() as connection:
            row = connection.execute(sa.select(table).where(table.c.id == attempt)).first()
            if row is None or row.version == version:
                return
            refuse_reigned(connection, row)
            connection.execute(sa.update(table).where(table.c.id == attempt).values(values))
            body = {"attempt": attempt, "snapshot": row.attempt["snapshot"], "files": trained.files}
            audit.append(connection, row.pipeline, "version registered", f"{row.pipeline}:{version}", body)

    def outcome(self, attempt: str) -> TrainOutcome | None:
        """How an attempt ended, None while it has not."""
        row = self._row(sa.select(tables.attempts.c.outcome).where(tables.attempts.c.id == attempt))
        return TrainOutcome.model_validate(row.outcome) if row and row.outcome else None

    def attempt(self, attempt: str) -> StoredAttempt | None:
        """One attempt, None where none was started under that id."""
        row = self._row(sa.select(tables.attempts).where(tables.attempts.c.id == attempt))
        return decode(row) if row else None

    def attempts(self, pipeline: str) -> list[StoredAttempt]:
        """The attempts of a pipeline, oldest first."""
        table = tables.attempts
        query = sa.select(table).where(table.c.pipeline == pipeline).order_by(table.c.started)
        return [decode(row) for row in self._rows(query)]

    def version(self, pipeline: str, number: int) -> StoredAttempt:
        """The attempt behind a registered version. Raises UsageError where there is none."""
        table = tables.attempts
        found = self._row(sa.select(table).where(table.c.pipeline == pipeline, table.c.version == number))
        if found is None:
            versions = sorted(one.version for one in self.attempts(pipeline) if one.version is not None)
            known = ", ".join(map(str, versions)) or "none"
            raise UsageError(
                f"{pipeline} has no version {number} (versions: {known}).", "`evergreen history` lists them."
            )
        return decode(found)

    def trained(self, pipeline: str, version: int) -> TrainedModel:
        """The model behind a registered version. Raises UsageError where there is none."""
        found = self.version(pipeline, version).trained
        assert found is not None  # noqa: S101  (it is stored with the version)
        return found


def decode(row: sa.Row[Any]) -> StoredAttempt:
    return StoredAttempt(**{name: value for name, value in row._asdict().items() if value is not None})


def refuse_reigned(connection: sa.Connection, row: sa.Row[Any]) -> None:
    """Raise UsageError for an attempt whose version is in the history of champions: it keeps its number."""
    if row.version in [reign.version for reign in reigns(read_promotions(connection, row.pipeline))]:
        raise UsageError(
            f"Version {row.version} of {row.pipeline} was champion: attempt {row.id} gets no other number,"
            " though it was deleted in MLflow.",
            "`evergreen history` lists the versions; deploy another, or train on new data.",
        )
