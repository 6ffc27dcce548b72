"""Reads and writes of the ledger. Every write is one transaction and may be repeated."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from pipelines.clock import now
from pipelines.errors import EvergreenError, PromotionConflict, UsageError
from pipelines.home import Home
from pipelines.ledger import audit, tables
from pipelines.records import (
    Attempt,
    Batch,
    Cause,
    Cost,
    Intake,
    IntakeState,
    Promotion,
    PromotionState,
    ServedModel,
    TrainedModel,
    TrainOutcome,
    ValidationReport,
    WindowJudgment,
)

HEAD = "0004"
CANNOT_WRITE = ("disk is full", "disk I/O error", "readonly database", "unable to open database")


def open_engine(path: Path) -> sa.Engine:
    """An engine on the SQLite file `path`, brought to the newest form."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # 30 s: several of our processes write here, each for a few milliseconds.
    engine = sa.create_engine(f"sqlite:///{path}", connect_args={"timeout": 30})
    sa.event.listen(engine, "handle_error", refuse_to_go_on)
    # One process at a time looks and migrates: SQLite does not wait when it changes to WAL, it fails.
    with path.with_suffix(".lock").open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if form_of(engine) != HEAD:
            migrate(engine)
    return engine


def refuse_to_go_on(context: sa.ExceptionContext) -> None:
    """Raise EvergreenError where SQLite cannot write: what it says of a full disk becomes an answer."""
    words = str(context.original_exception)
    if any(cause in words for cause in CANNOT_WRITE):
        place = context.engine.url.database if context.engine else "the ledger"
        raise EvergreenError(
            f"{place}: the ledger cannot be read or written: {words}.",
            "Make room or mend the permissions, then start again: what was begun is finished then, once.",
        ) from context.original_exception


def form_of(engine: sa.Engine) -> str | None:
    """The last migration that the database has had, None where it is new."""
    with engine.connect() as connection:
        if not sa.inspect(connection).has_table("alembic_version"):
            return None
        found: str | None = connection.scalar(sa.text("SELECT version_num FROM alembic_version"))
        return found


def migrate(engine: sa.Engine) -> None:
    """Run the migrations that the database has not had."""
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    with engine.connect() as connection:
        connection.execute(sa.text("PRAGMA journal_mode=WAL"))
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
        connection.commit()


@dataclass(frozen=True)
class Ledger:
    """The database of one home folder."""

    engine: sa.Engine

    @classmethod
    def open(cls, home: Home) -> Ledger:
        return cls(open_engine(home.ledger))

    # -------------------------------------------------------------------------------------- pipelines

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

    # -------------------------------------------------------------------------------------- batches

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

    # -------------------------------------------------------------------------------------- attempts

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

    def record_cost(self, attempt: str, cost: Cost) -> None:
        """Store what an attempt has used so far, all its processes together."""
        values = {"cost": cost.model_dump(mode="json")}
        with self.engine.begin() as connection:
            connection.execute(
                sa.update(tables.attempts).where(tables.attempts.c.id == attempt).values(values)
            )

    def record_version(self, attempt: str, trained: TrainedModel, version: int) -> None:
        """Store the registered version of an attempt and the hashes of its files."""
        table, values = tables.attempts, {"trained": trained.model_dump(mode="json"), "version": version}
        with self.writing() as connection:
            row = connection.execute(sa.select(table).where(table.c.id == attempt)).first()
            if row is None or row.version == version:
                return
            connection.execute(sa.update(table).where(table.c.id == attempt).values(values))
            body = {"attempt": attempt, "snapshot": row.attempt["snapshot"], "files": trained.files}
            audit.append(connection, row.pipeline, "version registered", f"{row.pipeline}:{version}", body)

    def outcome(self, attempt: str) -> TrainOutcome | None:
        """How an attempt ended, None while it has not."""
        row = self._row(sa.select(tables.attempts.c.outcome).where(tables.attempts.c.id == attempt))
        return TrainOutcome.model_validate(row.outcome) if row and row.outcome else None

    def attempt(self, attempt: str) -> sa.Row[Any] | None:
        """The row of one attempt, as in `attempts`."""
        return self._row(sa.select(tables.attempts).where(tables.attempts.c.id == attempt))

    def attempts(self, pipeline: str) -> list[sa.Row[Any]]:
        """Rows of the attempts, oldest first.

        Columns: id, started, cause, attempt, trained, version, outcome, config, cost, environment.
        """
        table = tables.attempts
        return self._rows(sa.select(table).where(table.c.pipeline == pipeline).order_by(table.c.started))

    def trained(self, pipeline: str, version: int) -> TrainedModel:
        """The model behind a registered version. Raises UsageError where there is none."""
        table = tables.attempts
        rows = self._rows(sa.select(table).where(table.c.pipeline == pipeline, table.c.version.is_not(None)))
        found = {row.version: row.trained for row in rows}
        if version not in found:
            known = ", ".join(str(v) for v in sorted(found)) or "none"
            raise UsageError(
                f"{pipeline} has no version {version} (versions: {known}).", "`evergreen history` lists them."
            )
        return TrainedModel.model_validate(found[version])

    # -------------------------------------------------------------------------------------- champions

    def promotions(self, pipeline: str) -> list[Promotion]:
        """Every promotion that was begun, oldest first, those that were undone included."""
        with self.engine.connect() as connection:
            return read_promotions(connection, pipeline)

    def champions(self, pipeline: str) -> list[Promotion]:
        """Who was champion when, oldest first; the last one's `until` is open."""
        return reigns(self.promotions(pipeline))

    def champion(self, pipeline: str) -> Promotion | None:
        return next(reversed(self.champions(pipeline)), None)

    def promote(self, promotion: Promotion, outcome: TrainOutcome | None = None) -> Promotion:
        """Begin to make a version champion, if `promotion.previous` is still the champion: compare-and-swap.

        The outcome of its attempt is stored in the same transaction: a crash never leaves one without the
        other. Repeating a promotion that went through returns it. Raises PromotionConflict when another came
        first, or is under way.
        """
        with self.writing() as connection:
            begun = read_promotions(connection, promotion.pipeline)
            current = next(reversed(reigns(begun)), None)
            if current and is_same(current, promotion):
                return current
            refuse_conflict(promotion, current)
            row = promotion.model_copy(
                update={"seq": begun[-1].seq + 1 if begun else 1, "state": "begun", "until": None}
            )
            connection.execute(sa.insert(tables.promotions).values(row.model_dump(exclude={"until"})))
            if outcome is not None:
                store_outcome(connection, outcome)
            log_promotion(connection, row)
        return row

    def confirm(self, promotion: Promotion) -> Promotion:
        """The service answers with the version: it is champion for good."""
        with self.writing() as connection:
            return settle(connection, promotion, "confirmed", None)

    def revert(self, promotion: Promotion, why: str, back: ServedModel | None) -> Promotion:
        """Undo a promotion that is begun; `back`, the champion before it, is served again, None for nobody.

        The attempt that asked for it says so. One that is settled stays as it is.
        """
        with self.writing() as connection:
            settled = settle(connection, promotion, "reverted", why)
            if settled.state == "reverted":
                switch(connection, promotion.pipeline, back)
                if promotion.cause is not None and (known := read_outcome(connection, promotion.attempt)):
                    undone = known.model_copy(update={"status": "reverted", "reason": why})
                    store_outcome(connection, undone)
        return settled

    # -------------------------------------------------------------------------------------- serving

    def serve(self, served: ServedModel) -> None:
        """Say what the prediction service is to answer with; it follows within a second."""
        with self.writing() as connection:
            switch(connection, served.pipeline, served)

    def served(self) -> list[ServedModel]:
        return [ServedModel.model_validate(row.served) for row in self._rows(sa.select(tables.serving))]

    # -------------------------------------------------------------------------------------- audit log

    def note(self, pipeline: str, kind: str, subject: str, body: dict[str, Any]) -> None:
        """Log a decision that leaves no other trace here."""
        with self.writing() as connection:
            audit.append(connection, pipeline, kind, subject, body)

    def audit_log(self, pipeline: str) -> list[audit.AuditEntry]:
        """A pipeline's decisions, oldest first; `ledger.audit` exports and verifies them."""
        return audit.read_entries(self.engine, pipeline)

    # -------------------------------------------------------------------------------------- causes, windows

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

    # -------------------------------------------------------------------------------------- plumbing

    @contextmanager
    def writing(self) -> Iterator[sa.Connection]:
        """One transaction that nobody else writes in, from its first read on: what it reads stays true."""
        with self.engine.begin() as connection:
            connection.exec_driver_sql("BEGIN IMMEDIATE")
            yield connection

    def _rows(self, query: sa.Select[Any]) -> list[sa.Row[Any]]:
        with self.engine.connect() as connection:
            return list(connection.execute(query))

    def _row(self, query: sa.Select[Any]) -> sa.Row[Any] | None:
        return next(iter(self._rows(query)), None)

    def _upsert(self, table: sa.Table, values: dict[str, Any], keys: list[str]) -> None:
        changed = {k: v for k, v in values.items() if k not in keys}
        statement = (
            sqlite_insert(table).values(values).on_conflict_do_update(index_elements=keys, set_=changed)
        )
        with self.engine.begin() as connection:
            connection.execute(statement)


# ---------------------------------------------------------------------------------------- in a transaction


def read_promotions(connection: sa.Connection, pipeline: str) -> list[Promotion]:
    table = tables.promotions
    rows = connection.execute(sa.select(table).where(table.c.pipeline == pipeline).order_by(table.c.seq))
    return [Promotion(**row._asdict()) for row in rows]


def reigns(promotions: list[Promotion]) -> list[Promotion]:
    """Those that were champion, each until the next."""
    held = [promotion for promotion in promotions if promotion.state != "reverted"]
    ends = [*(promotion.since for promotion in held[1:]), None]
    return [p.model_copy(update={"until": end}) for p, end in zip(held, ends, strict=False)]


def is_same(promotion: Promotion, other: Promotion) -> bool:
    """Whether two promotions are one that was asked for twice."""
    return (promotion.version, promotion.attempt) == (other.version, other.attempt)


def refuse_conflict(promotion: Promotion, current: Promotion | None) -> None:
    """Raise PromotionConflict unless the champion is settled and the one that was to be replaced."""
    found = current.version if current else None
    if found != promotion.previous:
        raise PromotionConflict(
            f"{promotion.pipeline}: version {promotion.version} was judged against champion"
            f" {promotion.previous}, now it is {found}.",
            "Train again: the challenger is then judged against the new champion.",
        )
    if current is not None and current.state == "begun":
        raise PromotionConflict(
            f"{promotion.pipeline}: the promotion of version {current.version} is not finished.",
            f"`evergreen deploy {promotion.pipeline}` finishes or undoes it.",
        )


def settle(
    connection: sa.Connection, promotion: Promotion, state: PromotionState, why: str | None
) -> Promotion:
    """Decide a promotion that is begun, once; as it is decided now."""
    table = tables.promotions
    mine = (table.c.pipeline == promotion.pipeline) & (table.c.seq == promotion.seq)
    values = {"state": state, "settled": now(), "undone": why}
    done = connection.execute(sa.update(table).where(mine, table.c.state == "begun").values(values))
    row = connection.execute(sa.select(table).where(mine)).one()
    settled = Promotion(**row._asdict())
    if done.rowcount == 1:
        log_promotion(connection, settled)
    return settled


def log_promotion(connection: sa.Connection, promotion: Promotion) -> None:
    body = promotion.model_dump(mode="json", exclude={"pipeline", "until"})
    subject = f"{promotion.pipeline}:{promotion.version}"
    audit.append(connection, promotion.pipeline, f"promotion {promotion.state}", subject, body)


def read_outcome(connection: sa.Connection, attempt: str) -> TrainOutcome | None:
    table = tables.attempts
    found = connection.scalar(sa.select(table.c.outcome).where(table.c.id == attempt))
    return TrainOutcome.model_validate(found) if found else None


def store_outcome(connection: sa.Connection, outcome: TrainOutcome) -> None:
    """An attempt's outcome; what is decided anew is logged, what only gets a time or a cost is not."""
    table, known = tables.attempts, read_outcome(connection, outcome.attempt or "")
    values = {"outcome": outcome.model_dump(mode="json")}
    connection.execute(sa.update(table).where(table.c.id == outcome.attempt).values(values))
    if outcome.attempt and (known is None or decision_of(known) != decision_of(outcome)):
        body = outcome.model_dump(mode="json", exclude={"pipeline", "attempt", "seconds", "cost"})
        audit.append(connection, outcome.pipeline, "attempt ended", outcome.attempt, body)


def decision_of(outcome: TrainOutcome) -> tuple[object, ...]:
    """What of an outcome is a decision."""
    return outcome.status, outcome.reason, [(g.name, g.verdict) for g in outcome.gates]


def switch(connection: sa.Connection, pipeline: str, served: ServedModel | None) -> None:
    """Say what is to be served of a pipeline, None for nothing; a change is logged."""
    table = tables.serving
    mine = table.c.pipeline == pipeline
    found = connection.scalar(sa.select(table.c.served).where(mine))
    wanted = served.model_dump(mode="json") if served else None
    if found == wanted:
        return
    connection.execute(sa.delete(table).where(mine))
    if wanted is not None:
        connection.execute(sa.insert(table).values(pipeline=pipeline, served=wanted))
    body = {"from": found["version"] if found else None, "to": served.version if served else None}
    audit.append(connection, pipeline, "serving changed", pipeline, body)
