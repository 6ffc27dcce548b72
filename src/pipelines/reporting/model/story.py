"""What the page of a model tells, gathered by the caller."""

from __future__ import annotations

from datetime import datetime

from pipelines.records import Cost, Evaluation, GateVerdict, Promotion, Record


class Fact(Record):
    """A line of the section on data and lineage; `code` is shown in a fixed width."""

    name: str
    value: str
    code: bool = False


class ModelStory(Record):
    """All that `render_model` shows; what is not known is left out."""

    pipeline: str
    evaluation: Evaluation
    gates: list[GateVerdict]
    generated: datetime
    version: int | None = None
    promotion: Promotion | None = None  # the last one of this version
    waiting: bool = False  # for a person's approval
    cost: Cost | None = None
    seconds: dict[str, float] = {}  # by stage
    facts: list[Fact] = []
    warnings: list[str] = []
    run: str | None = None  # MLflow's address of the run
    card: str | None = None  # the link to the version's model card
