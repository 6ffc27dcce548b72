"""The parts of a definition that say what is measured on held-back rows, and what a challenger must show."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from pipelines.config.amounts import Amount
from pipelines.config.gates import (
    CalibrationGate,
    FairnessGate,
    FootprintGate,
    LeakGate,
    RobustnessGate,
    SignatureGate,
    SimplerGate,
    SliceGate,
)
from pipelines.config.learning import Code
from pipelines.config.measuring import Measuring
from pipelines.config.sections import Section, Span
from pipelines.records import Task

Metric = Literal[
    "rmse", "mae", "r2", "auc", "pr_auc", "accuracy", "balanced_accuracy", "log_loss", "brier", "f1"
]
METRICS: dict[Task, tuple[Metric, ...]] = {
    "regression": ("rmse", "mae", "r2"),
    "binary": ("auc", "pr_auc", "accuracy", "balanced_accuracy", "log_loss", "brier", "f1"),
    "multiclass": ("auc", "accuracy", "balanced_accuracy", "log_loss", "brier", "f1"),
}
# What is measured, as far as it has a meaning for the rows; METRICS may also be watched in training.
MEASURED: dict[Task, tuple[str, ...]] = {
    "regression": ("rmse", "mae", "mape", "r2", "pinball", "coverage"),
    "binary": ("auc", "pr_auc", "log_loss", "brier", "ece", "accuracy", "balanced_accuracy", "f1"),
    "multiclass": ("auc", "log_loss", "brier", "ece", "accuracy", "balanced_accuracy", "f1"),
}


Codes = Annotated[list[Code], BeforeValidator(lambda v: [v] if isinstance(v, str) else v)]


class Threshold(Section):
    metric: str
    at_least: float | None = Field(None, allow_inf_nan=False)
    at_most: float | None = Field(None, allow_inf_nan=False)


class ChampionGate(Section):
    """What a challenger must show against the champion on the same rows.

    rule: `superiority`, to be better; `non_inferiority`, not to be worse by more than `margin`. A challenger
    that is just as good, or is worse by just the margin, passes with a chance of `level` at most. How likely
    one that is better by `improvement` passes is said beforehand; where none is stated, one better by 1 % for
    superiority, one that is as good for non-inferiority.
    """

    rule: Literal["non_inferiority", "superiority"] = "non_inferiority"
    metric: str | None = None  # the pipeline's own where none is named
    margin: Amount = Amount(value=0.01, share=True)
    level: float = Field(0.05, gt=0, lt=0.5)
    improvement: Amount | None = None


class Approval(Section):
    """A person has the last word, for as long as the request stands."""

    expires: Span = timedelta(days=7)


class Gates(Section):
    thresholds: list[Threshold] = []
    champion: ChampionGate = ChampionGate()
    baseline: bool = True
    simpler: SimplerGate | None = None
    slices: SliceGate | None = None
    signature: SignatureGate | None = SignatureGate()
    fairness: FairnessGate | None = None
    calibration: CalibrationGate | None = None
    robustness: RobustnessGate | None = None
    footprint: FootprintGate | None = None
    freshness: Span | None = None  # age of the snapshot's newest row, at most
    leak: LeakGate | None = LeakGate()
    own: Codes = []  # functions from the evaluation, as a dictionary, to (verdict, reason)
    approval: Approval | None = None


def check_judging(task: Task, measures: Measuring, gates: Gates) -> None:
    """Raise ValueError where a gate asks about what is not measured."""
    own, known = measures.own_metrics, MEASURED[task]
    if taken := [name for i, name in enumerate(own) if name in known or name in own[:i]]:
        raise ValueError(f"evaluation: two metrics are named {taken[0]!r}; rename the function")
    if task == "regression" and isinstance(measures.value, dict):
        raise ValueError("evaluation.value: a regression has no classes; name a module:function")
    asked = {f"gates.thresholds.{i}": t.metric for i, t in enumerate(gates.thresholds)}
    asked |= {"gates.champion": gates.champion.metric} if gates.champion.metric else {}
    for key, metric in asked.items():
        check_metric(key, metric, task, (*known, *own))
    if gates.champion.metric == "coverage":
        raise ValueError("gates.champion: of coverage neither more nor less is better; take pinball")
    lacking = {
        "gates.slices: needs slices that are named under evaluation.slices": gates.slices
        and not measures.slices,
        "gates.fairness: needs columns under evaluation.groups": gates.fairness and not measures.groups,
        "gates.calibration: a regression has no probabilities": gates.calibration and task == "regression",
    }
    if words := next((words for words, missing in lacking.items() if missing), None):
        raise ValueError(words)


def check_metric(key: str, metric: str, task: Task, known: Sequence[str]) -> None:
    if metric not in known:
        raise ValueError(f"{key}: {metric} is no metric of {task}, which has {', '.join(known)}")
