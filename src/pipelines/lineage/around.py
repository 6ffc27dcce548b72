"""What is around a thing of one pipeline, gathered from the ledger and the Delta tables."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from pipelines.data.tracing import count_predictions, find_prediction, replayed_batches, rows_by_batch
from pipelines.home import Home
from pipelines.ledger import Ledger
from pipelines.lineage.traces import (
    TracedAttempt,
    TracedBatch,
    TracedPrediction,
    TracedSnapshot,
    TracedVersion,
    Use,
)
from pipelines.records import Cause, Intake, Promotion, StoredAttempt


@dataclass(frozen=True)
class Around:
    """What is known of one pipeline, read when it is first needed; a method for each kind of thing."""

    home: Home
    pipeline: str

    @cached_property
    def attempts(self) -> dict[str, StoredAttempt]:
        """By id, oldest first."""
        return {one.id: one for one in Ledger.open(self.home).attempts(self.pipeline)}

    @cached_property
    def champions(self) -> list[Promotion]:
        return Ledger.open(self.home).champions(self.pipeline)

    @cached_property
    def causes(self) -> dict[str, Cause]:
        return {cause.id: cause for cause in Ledger.open(self.home).causes(self.pipeline)}

    @cached_property
    def intakes(self) -> dict[str, Intake]:
        return {intake.batch.id: intake for intake in Ledger.open(self.home).intakes(self.pipeline)}

    @cached_property
    def predictions(self) -> dict[int, int]:
        return count_predictions(self.home, self.pipeline)

    @cached_property
    def replayed(self) -> dict[str, set[str]]:
        return replayed_batches(self.home, self.pipeline)

    # ---------------------------------------------------------------------------------------- each kind

    def of_prediction(self, name: str) -> dict[str, Any]:
        row = find_prediction(self.home, self.pipeline, name) or {}
        prediction = describe_prediction(row)
        return {"prediction": prediction, **self.of_version(f"{self.pipeline}:{prediction.version}")}

    def of_version(self, name: str) -> dict[str, Any]:
        number = int(name.rpartition(":")[2])
        made = next((key for key, one in self.attempts.items() if one.version == number), None)
        return {} if made is None else self.of_attempt(made)

    def of_run(self, name: str) -> dict[str, Any]:
        return self.of_attempt(next(key for key in self.attempts if self.run_of(key) == name))

    def of_attempt(self, name: str) -> dict[str, Any]:
        use, version = self.use(name), self.attempts[name].attempt.snapshot.version
        return {
            "version": use.version,
            "attempt": use.attempt,
            "snapshot": self.snapshot(version),
            "batches": self.batches_of(version),
        }

    def of_cause(self, name: str) -> dict[str, Any]:
        """The model that it was said of, with its origin, and the attempts that it led to."""
        cause = self.causes[name]
        windows = Ledger.open(self.home).windows(self.pipeline)
        promoted = {promotion.attempt for promotion in self.champions if promotion.cause == name}
        led = [key for key, one in self.attempts.items() if one.cause == name or key in promoted]
        judged = {} if cause.version is None else self.of_version(f"{self.pipeline}:{cause.version}")
        return {
            **judged,
            "cause": cause,
            "window": next((window for window in windows if window.cause == name), None),
            "used_by": [self.use(key) for key in led],
        }

    def of_snapshot(self, name: str) -> dict[str, Any]:
        version = int(name.rpartition("@")[2])
        users = [key for key, one in self.attempts.items() if one.attempt.snapshot.version == version]
        return {
            "snapshot": self.snapshot(version),
            "batches": self.batches_of(version),
            "used_by": [self.use(key) for key in users],
        }

    def of_batch(self, name: str) -> dict[str, Any]:
        version = self.intakes[name].version
        snapshot = None if version is None else self.snapshot(version)
        held = rows_by_batch(self.home, self.pipeline, version) if version is not None else {}
        return {"snapshot": snapshot, **self.taken_in([name], held)}

    def of_source(self, uri: str) -> dict[str, Any]:
        return self.taken_in(
            [key for key, intake in self.intakes.items() if uri in {s.uri for s in intake.batch.sources}]
        )

    def taken_in(self, batches: list[str], held: dict[str, int] | None = None) -> dict[str, Any]:
        """Batches, and the attempts whose snapshots have rows of them."""
        since = min((v for key in batches if (v := self.held_since(key)) is not None), default=None)
        learnt = [
            key
            for key, one in self.attempts.items()
            if since is not None and one.attempt.snapshot.version >= since
        ]
        return {
            "batches": [self.batch(key, (held or {}).get(key)) for key in batches],
            "used_by": [self.use(key) for key in learnt],
        }

    # ---------------------------------------------------------------------------------------- each part

    def use(self, name: str) -> Use:
        stored = self.attempts[name]
        outcome = stored.outcome
        traced = TracedAttempt(
            id=name,
            status=outcome.status if outcome else "unfinished",
            started=stored.started,
            seconds=outcome.seconds if outcome else {},
            cause=self.causes.get(stored.cause or ""),
            snapshot=stored.attempt.snapshot.id,
            version=stored.version,
            run_id=self.run_of(name),
            metrics=outcome.metrics if outcome else {},
            gates=outcome.gates if outcome else [],
        )
        version = None if stored.version is None else self.version(stored.version, name)
        return Use(attempt=traced, version=version)

    def version(self, number: int, attempt: str) -> TracedVersion:
        return TracedVersion(
            id=f"{self.pipeline}:{number}",
            attempt=attempt,
            run_id=self.run_of(attempt),
            champion=[promotion for promotion in self.champions if promotion.version == number],
            predictions=self.predictions.get(number, 0),
        )

    def run_of(self, attempt: str) -> str | None:
        outcome = self.attempts[attempt].outcome
        found = outcome.model.get("run_id") if outcome else None
        return None if found is None else str(found)

    def snapshot(self, version: int) -> TracedSnapshot:
        """As an attempt on it saw it, else as the table's log counts it."""
        snapshots = (one.attempt.snapshot for one in self.attempts.values())
        seen = next((one for one in snapshots if one.version == version), None)
        held = rows_by_batch(self.home, self.pipeline, version)
        return TracedSnapshot(
            id=f"{self.pipeline}@{version}",
            version=version,
            uri=seen.uri if seen else str(self.home.pipeline(self.pipeline).rows),
            rows=seen.rows if seen else sum(held.values()) or None,
            fingerprint=seen.fingerprint if seen else None,
        )

    def batches_of(self, version: int) -> list[TracedBatch]:
        """The batches whose rows are in a snapshot; the count alone of one that the ledger does not know."""
        held = rows_by_batch(self.home, self.pipeline, version)
        known = [
            key
            for key in self.intakes
            if key in held or ((v := self.held_since(key)) is not None and v <= version)
        ]
        unknown = [TracedBatch(id=key, in_snapshot=held[key]) for key in held if key not in self.intakes]
        return [*unknown, *(self.batch(key, held.get(key)) for key in known)]

    def held_since(self, name: str) -> int | None:
        """The first snapshot with rows of a batch: its own, or that of a replay; None where there is none.

        A rebuilt snapshot keeps the rows of the batches before it, so none is ever given up.
        """
        intake = self.intakes[name]
        taken = intake.state == "accepted" and intake.counts is not None and intake.counts.accepted > 0
        replays = [self.intakes[key].version for key in self.replayed.get(name, ()) if key in self.intakes]
        return min((v for v in [intake.version if taken else None, *replays] if v is not None), default=None)

    def batch(self, name: str, in_snapshot: int | None) -> TracedBatch:
        intake, report = self.intakes[name], self.intakes[name].report
        page = self.home.pipeline(self.pipeline).validation_page(name)
        return TracedBatch(
            id=name,
            state=intake.state,
            created=intake.created,
            version=intake.version,
            counts=intake.counts,
            in_snapshot=in_snapshot,
            rebuilt=intake.batch.rebuilt,
            rows_of=sorted(key for key, later in self.replayed.items() if name in later),
            sources=intake.batch.sources,
            checks=[check for check in report.results if not check.passed] if report else [],
            refused=report.refused if report else None,
            page=str(page) if page.exists() else None,
        )


def describe_prediction(row: dict[str, Any]) -> TracedPrediction:
    """A row of the prediction log; the log's own columns start with `_`, the rest is what the model saw."""
    value, label = row["_prediction"], row["_label"]  # labels are kept as text, of numbers too
    return TracedPrediction(
        id=row["_id"],
        time=row["_time"],
        scored=row["_scored_at"],
        channel=row["_channel"],
        version=row["_version"],
        value=value,
        probabilities=beside(row, "_p_"),
        quantiles=beside(row, "_q_"),
        label=float(label) if isinstance(value, float) and label is not None else label,
        inputs={name: value for name, value in row.items() if not name.startswith("_")},
    )


def beside(row: dict[str, Any], prefix: str) -> dict[str, float]:
    """What was answered beside the prediction, by class or by quantile; other versions' answers are empty."""
    return {k.removeprefix(prefix): v for k, v in row.items() if k.startswith(prefix) and v is not None}
