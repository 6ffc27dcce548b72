"""Great Expectations, and all that we need to know of it."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from datetime import date, datetime
from threading import Lock
from typing import TYPE_CHECKING, Any

from pipelines.config import Check, PipelineConfig
from pipelines.errors import ConfigError
from pipelines.validation.decide import Finding

if TYPE_CHECKING:
    import pandas as pd

SEVERITY = {"fail": "critical", "quarantine": "warning", "warn": "info"}
LONGEST_WORDS = 160
# GX keeps one current context for the whole process; two threads that validate would take each other's.
ONE_AT_A_TIME = Lock()


def measure_checks(config: PipelineConfig, frame: pd.DataFrame) -> list[Finding]:
    """Run the pipeline's checks on `frame`, findings in the order of the definition.

    `frame` needs an unnamed RangeIndex: only then does GX name failing rows by position. Raises ConfigError
    for a check that GX does not know or whose arguments it refuses.
    """
    checks = config.validation.checks
    expectations = [build_expectation(config, index, check) for index, check in enumerate(checks)]
    if not expectations:
        return []
    with ONE_AT_A_TIME:
        results = run_expectations(expectations, frame)
    return [to_finding(check, results[index]) for index, check in enumerate(checks)]


def build_expectation(config: PipelineConfig, index: int, check: Check) -> Any:
    """GX's own object for a check; its `meta` carries the place, since GX answers in an order of its own."""
    from great_expectations.exceptions import ExpectationNotFoundError
    from great_expectations.expectations.registry import get_expectation_impl

    where = f"{config.folder / 'pipeline.yaml'}: validation.checks.{index}: {check.expectation}"
    try:
        kind: Any = get_expectation_impl(check.expectation)
    except ExpectationNotFoundError as error:
        raise ConfigError(
            f"{where} is not an expectation of Great Expectations.", nearest(check.expectation)
        ) from error
    try:
        extras = {"meta": {"index": index}, "severity": SEVERITY[check.on_failure]}
        return kind(**{**spell_times(config, check.arguments), **extras})
    except (ValueError, TypeError) as error:
        hint = "Its arguments are those of Great Expectations' gallery of expectations."
        raise ConfigError(f"{where}: arguments that do not fit: {one_line(error)}", hint) from error


def nearest(name: str) -> str:
    """What may have been meant by an unknown expectation."""
    from difflib import get_close_matches

    from great_expectations.expectations.registry import list_registered_expectation_implementations

    close = get_close_matches(name, list_registered_expectation_implementations(), n=3)
    return (
        f"Did you mean {' or '.join(close)}?" if close else "See Great Expectations' gallery of expectations."
    )


def spell_times(config: PipelineConfig, arguments: dict[str, Any]) -> dict[str, Any]:
    """A check's arguments, days on a time column as midnights: GX cannot compare a time with a day."""
    spec = config.columns.get(str(arguments.get("column")))
    if spec is None or spec.type != "time":
        return arguments
    return {key: spell_time(value) if key.endswith("_value") else value for key, value in arguments.items()}


def spell_time(value: Any) -> Any:
    """A day or time as GX reads it: ISO 8601 with hours, else it becomes a day again."""
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            return value
    if isinstance(value, date) and not isinstance(value, datetime):
        value = datetime(value.year, value.month, value.day)
    return value.isoformat(timespec="microseconds") if isinstance(value, datetime) else value


def run_expectations(expectations: list[Any], frame: pd.DataFrame) -> dict[int, Any]:
    """GX's result for each expectation by its place; writes no file, prints nothing."""
    import great_expectations as gx
    from great_expectations.data_context.types.base import ProgressBarsConfig

    # A metric that cannot be computed is in the result; GX also logs it with a traceback.
    logging.getLogger("great_expectations").setLevel(logging.CRITICAL)
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = ProgressBarsConfig(globally=False)
    asset = context.data_sources.add_pandas("batch").add_dataframe_asset("batch")
    batch = asset.add_batch_definition_whole_dataframe("batch").get_batch({"dataframe": frame})
    suite = gx.ExpectationSuite(name="checks", expectations=expectations)
    found = batch.validate(suite, result_format={"result_format": "COMPLETE"})
    return {result.expectation_config.meta["index"]: result for result in found.results}


def to_finding(check: Check, result: Any) -> Finding:
    """GX's result in our words."""
    details: dict[str, Any] = result.result or {}
    positions = details.get("unexpected_index_list")
    values = details.get("unexpected_list") or []
    named = positions is not None and len(values) == len(positions)
    return Finding(
        rule=check.expectation,
        column=column_of(check.arguments),
        on_failure=check.on_failure,
        expected=describe_rule(check),
        passed=bool(result.success),
        positions=None if positions is None else tuple(int(position) for position in positions),
        values=tuple(spell_value(value) for value in values) if named else (),
        observed=describe_observed(details),
        error=error_of(result.exception_info or {}),
    )


def column_of(arguments: dict[str, Any]) -> str | None:
    """The column or columns that a check is about; None for a rule about the table."""
    columns = arguments.get("column_list") or [
        arguments.get(key) for key in ("column", "column_A", "column_B")
    ]
    return ", ".join(str(column) for column in columns if column is not None) or None


def describe_rule(check: Check) -> str:
    """A check in words: `column values to be between (min_value=0)`."""
    skipped = {"column", "column_A", "column_B", "column_list", "meta"}
    given = ", ".join(f"{key}={value}" for key, value in check.arguments.items() if key not in skipped)
    name = check.expectation.removeprefix("expect_").replace("_", " ")
    return shorten(f"{name} ({given})" if given else name)


def describe_observed(details: dict[str, Any]) -> str:
    """What a rule about the whole batch saw."""
    if "observed_value" not in details:
        return ""
    return shorten(spell_value(details["observed_value"]))


def error_of(info: dict[str, Any]) -> str:
    """Why a check could not run, empty where it did; GX nests one entry for each metric that failed."""
    entries: Iterable[Any] = [info, *info.values()]
    raised = [entry for entry in entries if isinstance(entry, dict) and entry.get("raised_exception")]
    return "; ".join(dict.fromkeys(one_line(entry.get("exception_message")) for entry in raised))


def spell_value(value: Any) -> str:
    """A value as a person would write it: no numpy, missing as `nothing`."""
    if isinstance(value, (tuple, list)):  # a rule about several columns
        return "(" + ", ".join(spell_value(item) for item in value) + ")"
    if isinstance(value, dict):
        return shorten(", ".join(f"{key}={spell_value(item)}" for key, item in value.items()))
    plain = value.item() if getattr(value, "ndim", None) == 0 and hasattr(value, "item") else value
    if plain is None or str(plain) in {"nan", "NaT", "<NA>"}:
        return "nothing"
    return shorten(repr(plain) if isinstance(plain, str) else str(plain))


def one_line(error: object) -> str:
    return " ".join(str(error).split())


def shorten(words: str) -> str:
    return words if len(words) <= LONGEST_WORDS else words[: LONGEST_WORDS - 1] + "…"
