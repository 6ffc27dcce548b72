"""The gates beyond baseline and champion: what each may be asked, with what it passes."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from pipelines.config.amounts import Amount, Bytes, Milliseconds
from pipelines.config.sections import Names, Section


class SliceGate(Section):
    """The pipeline's metric on each named slice of at least `least_rows`: within bounds, and against the
    champion not worse by more than `margin`.

    `level` holds for all slices together: the chance that a challenger that is worse by more than the margin
    on any of them passes, and the chance that one which is so on none fails.
    """

    margin: Amount | None = Amount(value=0.05, share=True)
    level: float = Field(0.05, gt=0, lt=0.5)
    least_rows: int = Field(100, ge=10)
    at_least: float | None = None
    at_most: float | None = None


class FairnessGate(Section):
    """Bounds on every two groups of a column of evaluation.groups, at `level` for all pairs together.

    least_rows: a group of fewer that a rate is of, as the positives for true positives, is not compared.
    """

    selection_ratio: float | None = Field(None, gt=0, le=1)  # at least: lowest over highest selection rate
    odds_difference: float | None = Field(None, ge=0, le=1)  # at most: of true, or of false positive rates
    calibration_difference: float | None = Field(None, ge=0, le=1)  # at most
    level: float = Field(0.05, gt=0, lt=0.5)
    least_rows: int = Field(30, ge=2)

    @model_validator(mode="after")
    def bounded(self) -> FairnessGate:
        bounds = (self.selection_ratio, self.odds_difference, self.calibration_difference)
        if bounds == (None, None, None):
            raise ValueError("expected selection_ratio, odds_difference or calibration_difference")
        return self


class CalibrationGate(Section):
    ece: float = Field(gt=0, le=1)  # expected calibration error, at most


class RobustnessGate(Section):
    """No changed row may be without an answer; small noise may move answers by `noise` at most.

    noise: mean absolute change, of a value in standard deviations of the answers, else of a probability.
    """

    noise: float = Field(0.1, gt=0)


class FootprintGate(Section):
    """Of the loaded model in a process of its own, at most: `50 ms` for one row, `500 MB` and the like."""

    latency_p99: Milliseconds | None = None
    memory: Bytes | None = None
    size: Bytes | None = None


class SignatureGate(Section):
    """Columns that may be asked, or answered, otherwise than by the champion: whoever calls knows of them."""

    allow: Names = []


class SimplerGate(Section):
    """A model that is not linear must be better than a linear one by more than `margin`."""

    margin: Amount = Amount(value=0.0)
    level: float = Field(0.05, gt=0, lt=0.5)


class LeakGate(Section):
    """No feature may tell so much of the target all alone: 1 is all that there is to tell."""

    most: float = Field(0.99, gt=0, le=1)
    verdict: Literal["inconclusive", "fail"] = "inconclusive"
