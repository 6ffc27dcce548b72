"""A pipeline's definition as a whole, and the rules between its parts."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

from pydantic import Field, model_validator

from pipelines.config.auditing import Audit
from pipelines.config.judging import METRICS, Gates, Metric, check_judging, check_metric
from pipelines.config.learning import (
    Code,
    Model,
    Prices,
    Training,
    Tuning,
    check_learning,
    check_stream,
    check_tuning,
)
from pipelines.config.measuring import Measuring, check_measuring
from pipelines.config.sections import (
    Column,
    Data,
    Monitoring,
    Retraining,
    Section,
    Split,
    Validation,
)
from pipelines.hiding import hide_secrets
from pipelines.records import Task

CALENDAR = ("hour", "weekday", "yearday", "day")  # what features make of a time, as `<column>.<part>`


class PipelineConfig(Section):
    """One declared thing to keep green."""

    pipeline: str = Field(pattern=r"^[a-z][a-z0-9-]{0,62}$")
    task: Task
    metric: Metric
    data: Data
    columns: dict[str, Column]
    validation: Validation = Validation()
    split: Split = Split()
    model: Model = Model()
    features: Code | None = None  # build_features of one's own, in place of the built-in ones
    training: Training = Training()
    tuning: Tuning | None = None
    prices: Prices = Prices()
    evaluation: Measuring = Measuring()
    gates: Gates = Gates()
    monitoring: Monitoring = Monitoring()
    retraining: Retraining = Retraining()
    audit: Audit = Audit()
    folder: Path = Path()  # where pipeline.yaml lies; relative sources start there

    @property
    def feature_columns(self) -> list[str]:
        """The columns that the model sees, in the order of the definition."""
        skipped = {self.data.target, self.data.timestamp}
        texts = self.features is not None  # only features of one's own make something of a text
        return [
            c
            for c, spec in self.columns.items()
            if spec.use and c not in skipped and (texts or spec.type != "text")
        ]

    def without_secrets(self) -> PipelineConfig:
        """The same as it may be stored and shown: no address has its password, so none can be read by it."""
        source, place = self.data.source, self.training.checkpoints
        shown = hide_secrets(source) if isinstance(source, str) else [hide_secrets(s) for s in source]
        changes: dict[str, Any] = {"data": self.data.model_copy(update={"source": shown})}
        if place is not None:
            changes["training"] = self.training.model_copy(update={"checkpoints": hide_secrets(place)})
        return self.model_copy(update=changes)

    @model_validator(mode="after")
    def consistent(self) -> PipelineConfig:
        data = self.data
        named = [
            ("data.target", data.target),
            ("data.timestamp", data.timestamp),
            ("data.entity", data.entity),
        ]
        named += [(f"data.key.{i}", name) for i, name in enumerate(self.data.key)]
        for key, name in named:
            if name is not None and name not in self.columns:
                raise ValueError(f"{key}: column {name!r} is not among columns: {', '.join(self.columns)}")
        check_metric("metric", self.metric, self.task, METRICS[self.task])
        check_judging(self.task, self.evaluation, self.gates)
        if self.data.table and self.data.query:
            raise ValueError("data.query: give data.table or data.query, not both")
        if self.split.validation + self.split.test >= 1:
            raise ValueError("split: validation and test together leave nothing to train on")
        if not self.feature_columns and self.data.timestamp is None:
            raise ValueError("columns: no column is left for the model to learn from")
        check_target(self.task, self.data.target, self.columns[self.data.target])
        check_measuring(self.evaluation, self.task, self.columns)
        check_learning(self.task, self.model, self.training)
        check_tuning(self.model, self.tuning)
        check_stream(self.model, self.training, self.tuning)
        return self

    @model_validator(mode="after")
    def times_fit(self) -> PipelineConfig:
        made = {f"{c}.{part}" for c, spec in self.columns.items() if spec.type == "time" for part in CALENDAR}
        if taken := sorted(made & self.columns.keys()):
            raise ValueError(f"columns.{taken[0]}: the name of what is made from a time; rename the column")
        if isinstance(self.training.half_life, timedelta) and self.data.timestamp is None:
            raise ValueError("training.half_life: needs data.timestamp")
        if self.split.by == "time" and self.data.timestamp is None:
            raise ValueError("split.by: time needs data.timestamp")
        if self.gates.freshness and self.data.timestamp is None:
            raise ValueError("gates.freshness: needs data.timestamp")
        if self.split.by == "group" and self.data.entity is None:
            raise ValueError("split.by: group needs data.entity, the column that tells the groups apart")
        if self.split.gap and self.split.by != "time":
            raise ValueError(f"split.gap: goes with `by: time`, and split.by is {self.split.by}")
        if self.training.trend is True and self.data.timestamp is None:
            raise ValueError("training.trend: needs data.timestamp")
        if self.training.trend is True and self.features is not None:
            raise ValueError("training.trend: features of one's own make it themselves; leave this key out")
        return self


def check_target(task: Task, name: str, column: Column) -> None:
    """Raise ValueError, which names the key, where the target is of a type that the task cannot learn."""
    if task == "regression" and column.type != "number":
        raise ValueError(
            f"columns.{name}.type: {column.type}, but a regression needs numbers: write number, or set task"
            " to binary or multiclass"
        )
    if task != "regression" and column.type not in ("category", "text"):
        raise ValueError(
            f"columns.{name}.type: {column.type}, but the target of a {task} task has classes: write category"
            " (codes such as 0 and 1 are classes then), or set task to regression for an amount"
        )
