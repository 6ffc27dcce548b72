"""What the page tells, gathered by the caller from ledger and registry."""

from __future__ import annotations

from datetime import datetime

from pipelines.records import Cause, GateVerdict, Promotion, Record, TrainStatus, WindowJudgment


class AttemptLine(Record):
    """A training run in a line; `cause` is its reason in words, `cause_id` the stored cause where there is one."""

    id: str
    started: datetime
    status: TrainStatus
    cause: str
    snapshot: str
    version: int | None = None
    metrics: dict[str, float] = {}
    gates: list[GateVerdict] = []
    seconds: float = 0
    cause_id: str | None = None


class Story(Record):
    """All that `render_report` shows; lists may come in any order."""

    pipeline: str
    metric: str
    higher_is_better: bool
    windows: list[WindowJudgment] = []
    attempts: list[AttemptLine] = []
    champions: list[Promotion] = []
    causes: list[Cause] = []
    generated: datetime
