"""The part of a definition that says what is looked at when a model is judged."""

from __future__ import annotations

import ast
import re
from collections.abc import Collection
from typing import Annotated

from pydantic import Field, StringConstraints

from pipelines.config.learning import ClassName, Code
from pipelines.config.sections import Names, Section
from pipelines.records import Task

VALUE = "value"  # the metric that a value makes
Money = Annotated[float, Field(ge=-1e15, le=1e15, allow_inf_nan=False)]
Condition = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]


class Measuring(Section):
    """What is measured of a model besides the task's metrics, and what its card says of it.

    metrics: functions of one's own, from the answered test rows to a number, higher for better; each is known
    by the function's name. value: the money that a row brings, by true and predicted class, or by a function
    from the answered rows to the money of each; the metric is `value`, money per 1,000 rows.
    slices: columns, of which each value (or quarter of the numbers) is a slice, or conditions such as
    `age >= 60`. groups: columns that say whom a model of two classes should treat alike.
    """

    metrics: list[Code] = []
    value: Code | dict[ClassName, dict[ClassName, Money]] | None = None
    slices: list[Condition] = []
    find_slices: int = Field(5, ge=0, le=20)  # slices that are looked for where the model is worst
    groups: Names = []
    intended_use: Names = []
    limits: Names = []

    @property
    def own_metrics(self) -> list[str]:
        """The metrics that are not the task's."""
        return [code.partition(":")[2] for code in self.metrics] + ([VALUE] if self.value else [])


def check_measuring(section: Measuring, task: Task, columns: Collection[str]) -> None:
    """Raise ValueError, which names the key, where a slice or a group cannot be had of such a table."""
    for i, condition in enumerate(section.slices):
        if condition not in columns:
            check_condition(f"evaluation.slices.{i}", condition, columns)
    for i, name in enumerate(section.groups):
        if name not in columns:
            raise ValueError(
                f"evaluation.groups.{i}: column {name!r} is not among columns: {', '.join(columns)}"
            )
    if section.groups and task != "binary":
        raise ValueError(
            f"evaluation.groups: fairness is measured of two classes, and this task is {task}; name the"
            " columns under evaluation.slices to see how good the model is on each group"
        )


def check_condition(key: str, condition: str, columns: Collection[str]) -> None:
    try:
        names = names_in(condition)
    except SyntaxError as error:
        raise ValueError(
            f"{key}: {condition!r} is neither a column nor a condition such as `age >= 60`: {error.msg}"
        ) from error
    if unknown := sorted(names - set(columns)):
        raise ValueError(f"{key}: {unknown[0]!r} is not among columns: {', '.join(columns)}")


def columns_of(slice_: str, columns: Collection[str]) -> list[str]:
    """The columns that a slice is made of: it is one, or a condition on some."""
    return [slice_] if slice_ in columns else sorted(names_in(slice_))


def names_in(condition: str) -> set[str]:
    """The columns, as pandas reads them: by name, or between backticks where the name is no word."""
    quoted = re.findall(r"`([^`]*)`", condition)
    tree = ast.parse(re.sub(r"`[^`]*`", "True", condition), mode="eval")
    called = {id(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    names = [node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and id(node) not in called]
    return {*quoted, *names}
