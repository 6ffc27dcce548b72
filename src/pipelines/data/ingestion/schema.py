"""Which column of a file is which of the definition: a change of schema is an answer, not an accident."""

from __future__ import annotations

import difflib
import re
from typing import Any

from pipelines.config import Column, PipelineConfig
from pipelines.data.columns import DAY_AND_MONTH, HIDDEN, type_of
from pipelines.data.yaml_text import quoted, scalar
from pipelines.errors import DataError
from pipelines.markdown import make_visible

NAMES_SHOWN = 30
LONGEST_NAME = 100  # characters


def match_columns(names: list[str], config: PipelineConfig, where: str) -> tuple[dict[str, str], list[str]]:
    """The file's name for each column of the definition that it has, and what should be said about the rest.

    A name matches as it is, by one of `also`, or as the only one that differs in case and blanks alone.
    Raises DataError for a column that is absent and not optional, with the line of pipeline.yaml that would
    accept it.
    """
    reserved = [name for name in config.columns if name in HIDDEN]
    if reserved:
        raise DataError(
            f"Columns {', '.join(reserved)}: these names are Evergreen's own.", "Rename them in the data."
        )
    found: dict[str, str] = {}
    said: list[str] = []
    for name, spec in config.columns.items():
        theirs = find_name(name, spec, names)
        if theirs is None:
            continue
        found[name] = theirs
        if theirs != name and theirs not in spec.also:
            line = accepting_line(name, spec, also=[*spec.also, theirs])
            said.append(f"{where}: its column {theirs!r} is read as {name!r}. `{line}` makes that certain.")
    absent = [name for name, spec in config.columns.items() if name not in found and not spec.optional]
    if absent:
        raise absent_columns(absent, names, found, config, where)
    return found, said


def defined_names(names: list[str], config: PipelineConfig) -> dict[str, str]:
    """The definition's name of each of a file's columns that has another."""
    found = {find_name(name, spec, names): name for name, spec in config.columns.items()}
    return {theirs: name for theirs, name in found.items() if theirs is not None and theirs != name}


def find_name(name: str, spec: Column, names: list[str]) -> str | None:
    for candidate in (name, *spec.also):
        if candidate in names:
            return candidate
    alike = [other for other in names if plain(other) == plain(name)]
    return alike[0] if len(alike) == 1 else None


def plain(name: str) -> str:
    return "".join(name.casefold().split())


def new_columns(table: Any, found: dict[str, str], where: str) -> list[str]:
    """What to say of columns that the definition does not have; `table` is the first rows of the file."""
    taken = set(found.values())
    return [
        f"{where}: column {name!r} is not in the definition and is left out."
        f" `{scalar(name)}: {{type: {likely_type(table[name])}}}` under columns takes it in."
        for name in table.column_names
        if name not in taken
    ]


def doubtful_days(table: Any, found: dict[str, str], config: PipelineConfig, where: str) -> list[str]:
    """What to say of times whose day and month could be swapped, where the definition does not settle it."""
    import pyarrow as pa

    if "day_first" in config.data.format.model_fields_set:
        return []
    said = []
    for name, theirs in found.items():
        column = table[theirs].slice(0, 1000)
        if type_of(name, config) != "time" or not pa.types.is_string(column.type):
            continue
        matches = [match for text in column.to_pylist() if (match := re.match(DAY_AND_MONTH, text or ""))]
        if matches and all(int(match[1]) <= 12 and int(match[2]) <= 12 for match in matches):
            said.append(
                f"{where}: {name!r} has times such as {matches[0].string!r}, read month first."
                " If the day comes first, set format.day_first: true; false settles it."
            )
    return said


def likely_type(column: Any) -> str:
    """number, time or category, by the first values."""
    from pipelines.config import Format
    from pipelines.data.ingestion.conversion import convert_array, flatten

    head = flatten(column.slice(0, 1000))
    kinds = [k for k in ("number", "time") if convert_array(head, k, Format()).null_count == head.null_count]
    return kinds[0] if kinds and head.null_count < len(head) else "category"


def accepting_line(name: str, spec: Column, **changed: object) -> str:
    """The column's line in pipeline.yaml that accepts what is there now."""
    given = {"type": spec.type, "use": None if spec.use else "false", "also": spec.also or None}
    words = {key: value for key, value in {**given, **changed}.items() if value is not None}
    inner = ", ".join(f"{key}: {flow(value)}" for key, value in words.items())
    return f"{scalar(name)}: {{{inner}}}"


def flow(value: object) -> str:
    return f"[{', '.join(map(listed, value))}]" if isinstance(value, list) else str(value)


def listed(name: str) -> str:
    """A name as YAML reads it back, in quotes."""
    return f"'{name}'" if name.isprintable() and "'" not in name else quoted(name)


def absent_columns(
    absent: list[str], names: list[str], found: dict[str, str], config: PipelineConfig, where: str
) -> DataError:
    """The answer to columns that are not there: what is missing, what it means, which line accepts it."""
    roles = some([f"{name!r} ({role_of(name, config)})" for name in absent])
    message = f"{where} has no column {roles}. Columns found: {some([make_visible(name) for name in names])}."
    if not found and len(config.columns) > 1:
        return DataError(
            message,
            "None of the definition's columns is there. Is it the right file, does it begin with a line of"
            " names (format.header), and is format.delimiter right?",
        )
    new = [name for name in names if name not in found.values()]
    rest = f" New in it: {some([repr(name) for name in new])}." if new else ""
    hints = [hint_for(name, new, config, alone=len(absent) == 1) for name in absent[:5]]
    return DataError(message + rest, " ".join(hints) + " Or mend the data.")


def some(names: list[str]) -> str:
    """The names in a line, shortened where they are many or long."""
    shown = [name if len(name) <= LONGEST_NAME else name[:LONGEST_NAME] + "…" for name in names[:NAMES_SHOWN]]
    more = f" and {len(names) - NAMES_SHOWN:,} more" if len(names) > NAMES_SHOWN else ""
    return ", ".join(shown) + more


def role_of(name: str, config: PipelineConfig) -> str:
    if name == config.data.target:
        return "the target: nothing can be learnt without it"
    if name == config.data.timestamp:
        return "the timestamp"
    return "the model learns from it" if name in config.feature_columns else "not used by the model"


def hint_for(name: str, new: list[str], config: PipelineConfig, alone: bool) -> str:
    spec = config.columns[name]
    near = difflib.get_close_matches(plain(name), [plain(other) for other in new], n=1, cutoff=0.5)
    renamed = next((other for other in new if near and plain(other) == near[0]), None)
    if renamed is None and alone and len(new) == 1:
        renamed = new[0]
    if renamed is not None:
        line = accepting_line(name, spec, also=[*spec.also, renamed])
        return f"If {renamed!r} is {name!r} under another name, write in pipeline.yaml: `{line}`."
    if name == config.data.target:
        return f"Rows without {name!r} cannot be used."
    line = accepting_line(name, spec, optional="true")
    return f"If it may be absent, write in pipeline.yaml: `{line}`; its cells are then empty."
