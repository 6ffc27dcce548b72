"""Who is champion, who was, and what is served: compare-and-swap on rows that are decided once."""

from __future__ import annotations

from itertools import pairwise

import sqlalchemy as sa

from pipelines.clock import now
from pipelines.errors import PromotionConflict
from pipelines.ledger import audit, tables
from pipelines.ledger.engine import Database
from pipelines.ledger.outcomes import is_awaited, read_outcome, store_outcome
from pipelines.records import Promotion, PromotionState, ServedModel, TrainOutcome


class Promotions(Database):
    """Promotions, begun, confirmed or reverted, and what is served."""

    def promotions(self, pipeline: str) -> list[Promotion]:
        """Every promotion that was begun, oldest first, those that were undone included.

        Each that made a champion is so `until` the next; the last one's is open.
        """
        with self.engine.connect() as connection:
            return read_promotions(connection, pipeline)

    def champions(self, pipeline: str) -> list[Promotion]:
        """Who was champion when, oldest first."""
        return reigns(self.promotions(pipeline))

    def champion(self, pipeline: str) -> Promotion | None:
        return next(reversed(self.champions(pipeline)), None)

    def promote(self, promotion: Promotion, outcome: TrainOutcome | None = None) -> Promotion:
        """Begin to make a version champion, if `promotion.previous` is still the champion: compare-and-swap.

        The outcome of its attempt is stored in the same transaction: a crash never leaves one without the
        other. Without one, a person decides: an attempt that waits for approval has it. Repeating a promotion
        that went through returns it. Raises PromotionConflict when another came first, or is under way.
        """
        with self.writing() as connection:
            begun = read_promotions(connection, promotion.pipeline)
            current = next(reversed(reigns(begun)), None)
            same = current if current and is_same(current, promotion) else None
            if same is None:
                refuse_conflict(promotion, current)
            if outcome is None and is_awaited(connection, promotion.attempt):
                outcome = approved_outcome(connection, promotion.attempt)
                promotion = promotion.model_copy(update={"cause": promotion.cause or outcome.cause})
            if outcome is not None:
                store_outcome(connection, outcome, promotion.approved_by, promotion.why)
            if same is not None:
                return same
            row = promotion.model_copy(
                update={"seq": begun[-1].seq + 1 if begun else 1, "state": "begun", "until": None}
            )
            connection.execute(sa.insert(tables.promotions).values(row.model_dump(exclude={"until"})))
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

    def serve(self, served: ServedModel) -> None:
        """Say what the prediction service is to answer with; it follows within a second."""
        with self.writing() as connection:
            switch(connection, served.pipeline, served)

    def served(self) -> list[ServedModel]:
        return [ServedModel.model_validate(row.served) for row in self._rows(sa.select(tables.serving))]


def read_promotions(connection: sa.Connection, pipeline: str) -> list[Promotion]:
    table = tables.promotions
    rows = connection.execute(sa.select(table).where(table.c.pipeline == pipeline).order_by(table.c.seq))
    found = [Promotion(**row._asdict()) for row in rows]
    ends = {one.seq: after.since for one, after in pairwise(reigns(found))}
    return [one.model_copy(update={"until": ends.get(one.seq)}) for one in found]


def reigns(promotions: list[Promotion]) -> list[Promotion]:
    """Those that made a champion."""
    return [promotion for promotion in promotions if promotion.state != "reverted"]


def approved_outcome(connection: sa.Connection, attempt: str) -> TrainOutcome:
    """What is stored of an attempt that waits for a person, promoted."""
    known = read_outcome(connection, attempt)
    assert known is not None  # noqa: S101  (it waits)
    return known.model_copy(update={"status": "promoted"})


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
