"""Declared checks as Great Expectations' objects; what cannot exist is said before anything runs."""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta
from typing import Any

from pipelines.clock import now
from pipelines.config import Check, PipelineConfig, parse_duration, place_in
from pipelines.errors import ConfigError
from pipelines.validation.words import columns_of, one_line

SEVERITY = {"fail": "critical", "quarantine": "warning", "warn": "info"}
ASKS_FOR_COLUMNS = {"expect_column_to_exist", "expect_table_columns_to_match_ordered_list"}


def build_expectations(config: PipelineConfig) -> list[Any]:
    """GX's own objects for the pipeline's checks, in the order of the definition.

    Raises ConfigError, with file and line, for a column that is not in the definition, an expectation that GX
    does not know, and arguments that it refuses.
    """
    checks = list(enumerate(config.validation.checks))
    for index, check in checks:
        require_columns(config, index, check)
    return [build_expectation(config, index, check) for index, check in checks]


def require_columns(config: PipelineConfig, index: int, check: Check) -> None:
    if check.expectation in ASKS_FOR_COLUMNS:
        return
    unknown = [name for name in columns_of(check.arguments) if name not in config.columns]
    if unknown:
        raise ConfigError(
            f"{place_of(config, index, check)}: column {', '.join(unknown)} is not among columns.",
            f"{meant(unknown[0], list(config.columns))} Columns are {', '.join(config.columns)}."[:600],
        )


def build_expectation(config: PipelineConfig, index: int, check: Check) -> Any:
    """GX's own object for a check."""
    from great_expectations.exceptions import ExpectationNotFoundError
    from great_expectations.expectations.registry import get_expectation_impl

    try:
        kind: Any = get_expectation_impl(check.expectation)
    except ExpectationNotFoundError as error:
        raise ConfigError(
            f"{place_of(config, index, check)} is not an expectation of Great Expectations.",
            nearest(check.expectation),
        ) from error
    if "{batch}" not in check.arguments.get("unexpected_rows_query", "{batch}"):
        raise ConfigError(
            f"{place_of(config, index, check)}: unexpected_rows_query does not ask the batch.",
            "Write FROM {batch} in it.",
        )
    try:
        return kind(**spell_arguments(config, check.arguments), severity=SEVERITY[check.on_failure])
    except (ValueError, TypeError) as error:
        raise ConfigError(
            f"{place_of(config, index, check)}: arguments that do not fit: {one_line(error)}",
            "Its arguments are those of Great Expectations' gallery of expectations.",
        ) from error


def place_of(config: PipelineConfig, index: int, check: Check) -> str:
    """Where a check is written: file, line and key."""
    place = place_in(config.folder / "pipeline.yaml", ("validation", "checks", str(index)))
    return f"{place}: validation.checks.{index}: {check.expectation}"


def nearest(name: str) -> str:
    """What may have been meant by an unknown expectation."""
    from great_expectations.expectations.registry import list_registered_expectation_implementations

    found = meant(name, list_registered_expectation_implementations())
    return found or "See Great Expectations' gallery of expectations."


def meant(name: str, known: list[str]) -> str:
    from difflib import get_close_matches

    close = get_close_matches(name, known, n=3)
    return f"Did you mean {' or '.join(close)}?" if close else ""


# ------------------------------------------------------------------------------------------------ arguments


def spell_arguments(config: PipelineConfig, arguments: dict[str, Any]) -> dict[str, Any]:
    """A check's arguments: days on a time column as midnights, `now - 7 days` as that moment (UTC), and the
    values of categories as the text that they are stored as.
    """
    spec = config.columns.get(str(arguments.get("column")))
    if spec is None:
        return arguments
    if spec.type == "time":
        return {
            key: spell_time(value) if key.endswith("_value") else value for key, value in arguments.items()
        }
    if spec.type in {"category", "text"} and isinstance(values := arguments.get("value_set"), list):
        return {**arguments, "value_set": [str(v) if type(v) in {int, float} else v for v in values]}
    return arguments


def spell_time(value: Any) -> Any:
    """A day, a time or `now - 7 days` as GX reads it: ISO 8601 with hours, else it becomes a day again."""
    if isinstance(value, str):
        try:
            value = relative_time(value) or datetime.fromisoformat(value)
        except ValueError:
            return value
    if isinstance(value, date) and not isinstance(value, datetime):
        value = datetime(value.year, value.month, value.day)
    return value.isoformat(timespec="microseconds") if isinstance(value, datetime) else value


def relative_time(words: str) -> datetime | None:
    """`now`, `now - 7 days` or `now + 1 hour`, naive in UTC; None for anything else."""
    match = re.fullmatch(r"\s*now\s*(?:([+-])\s*(.+))?", words)
    if match is None:
        return None
    if match[1] is None:
        return now()
    span = parse_duration(match[2])
    if not isinstance(span, timedelta):
        raise ValueError(words)
    return now() - span if match[1] == "-" else now() + span
