"""Amounts as people write them: a share or a number, bytes, milliseconds."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, model_validator

from pipelines.config.sections import Section

BYTES = {"kb": 1e3, "mb": 1e6, "gb": 1e9}
MILLISECONDS = {"ms": 1.0, "s": 1e3}


class Amount(Section):
    """In the metric's unit, written `0.02`, or a share of the champion's metric, written `1%`."""

    value: float = Field(ge=0, allow_inf_nan=False)
    share: bool = False

    @model_validator(mode="before")
    @classmethod
    def from_short_form(cls, value: Any) -> Any:
        if isinstance(value, str) and (match := re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*%\s*", value)):
            return {"value": float(match[1]) / 100, "share": True}
        return value if isinstance(value, dict | Amount) else {"value": value}


def in_units(units: dict[str, float]) -> BeforeValidator:
    """`500 MB` as a number; anything else is left to pydantic, a bare number as it is."""

    def parse(value: object) -> object:
        match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([A-Za-z]+)\s*", str(value))
        known = match and match[2].lower() in units
        return float(match[1]) * units[match[2].lower()] if match and known else value

    return BeforeValidator(parse)


Bytes = Annotated[float, in_units(BYTES), Field(gt=0)]
Milliseconds = Annotated[float, in_units(MILLISECONDS), Field(gt=0)]
