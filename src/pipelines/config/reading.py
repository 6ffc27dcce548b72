"""From `pipeline.yaml` to a definition; what is wrong with it is said with file, line and key."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

import yaml
from pydantic import BaseModel, ValidationError

from pipelines.config.definition import PipelineConfig
from pipelines.errors import ConfigError


class Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]  # C's is ten times as fast
    """YAML 1.2's booleans only: `on`, `off`, `yes` and `no` are words, as in `retraining: {on: [drift]}`."""


Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:bool"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
Loader.add_implicit_resolver(
    "tag:yaml.org,2002:bool", re.compile(r"true|false|True|False|TRUE|FALSE"), list("tTfF")
)


def load_config(path: Path | str) -> PipelineConfig:
    """Read a definition. Raises ConfigError that names file, line and key."""
    file = Path(path)
    try:
        text = file.read_text(encoding="utf-8")
        tree = yaml.compose(text, Loader)
        values = yaml.load(text, Loader)  # noqa: S506 - a SafeLoader
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise ConfigError(f"{file}, line {line}: not YAML: {error.problem}.", "Mend that line.") from error
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError(f"{file}: cannot be read: {error}.", "Give the path of a pipeline.yaml.") from error
    if not isinstance(values, dict):
        raise ConfigError(
            f"{file}, line 1: expected keys such as pipeline, data and columns.",
            "`evergreen init` writes one.",
        )
    try:
        return PipelineConfig(**{**values, "folder": file.absolute().parent})
    except ValidationError as error:
        raise ConfigError(
            describe(file, tree, error), "Mend the definition; `evergreen init` writes a sound one."
        ) from error


def describe(file: Path, tree: yaml.Node | None, error: ValidationError) -> str:
    """All problems of a definition, a line each: file, line, key, what was found and what was expected."""
    lines = []
    places = [without_choices(tree, problem["loc"]) for problem in error.errors(include_url=False)]
    for problem, place in zip(error.errors(include_url=False), places, strict=True):
        keys = place
        if any(keys == other[: len(keys)] != other for other in places if keys):
            continue  # of a key that may be of two types: it is of the other one, where something is wrong
        message = problem["msg"].removeprefix("Value error, ")
        if not keys:  # a rule about several keys begins with the one to look at
            key, _, message = message.partition(": ")
            keys = tuple(key.split("."))
        if problem["type"] == "extra_forbidden":
            message = f"there is no such key; expected one of {', '.join(known_keys(keys))}"
        if problem["type"] == "model_type":
            message = f"expected keys of its own, as {', '.join(known_keys((*keys, '')))}"
        found = (
            ""
            if problem["type"] in {"missing", "value_error", "extra_forbidden"}
            else f" (found {problem['input']!r:.60})"
        )
        lines.append(
            f"{file}, line {line_of(tree, keys)}: {'.'.join(keys) or 'definition'}: {message}{found}."
        )
    return "\n".join(lines)


def known_keys(keys: tuple[str, ...]) -> list[str]:
    """What may stand in place of the last of `keys`."""
    sections: list[type[BaseModel]] = [PipelineConfig]
    for key in keys[:-1]:  # one that is no field is an item's: of a list, or of a mapping such as columns
        fields = [section.model_fields[key] for section in sections if key in section.model_fields]
        sections = [found for field in fields for found in sections_in(field.annotation)] or sections
    return [name for section in sections for name in section.model_fields if name != "folder"]


def sections_in(annotation: object) -> list[type[BaseModel]]:
    """The sections that a type, as `Tuning | None`, is made of."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [found for part in get_args(annotation) for found in sections_in(part)]


def without_choices(tree: yaml.Node | None, loc: tuple[int | str, ...]) -> tuple[str, ...]:
    """The keys on the way to a problem.

    Where a key may be of several types, pydantic names the type among them, such as `dict[str, float]`.
    """
    found, node = [], tree
    for part in map(str, loc):
        at = entry(node, part)
        if at or not set("[-") & set(part):
            found.append(part)
            node = at[1] if at else None
    return tuple(found)


def line_of(node: yaml.Node | None, keys: tuple[str, ...]) -> int:
    """The line, from 1, of the deepest node on the way along `keys`."""
    line = 1
    for key in keys:
        at = entry(node, key)
        if at is None:
            break
        line, node = at[0].start_mark.line + 1, at[1]
    return line


def entry(node: yaml.Node | None, key: str) -> tuple[yaml.Node, yaml.Node] | None:
    """The nodes of a key of a mapping and of its value, or of an item of a sequence, twice; None without."""
    if isinstance(node, yaml.MappingNode):
        return next(((k, v) for k, v in node.value if k.value == key), None)
    if isinstance(node, yaml.SequenceNode) and key.isdigit() and int(key) < len(node.value):
        return node.value[int(key)], node.value[int(key)]
    return None


def place_in(file: Path, keys: tuple[str, ...]) -> str:
    """Where a key of a definition is: `pipeline.yaml, line 7`; the file alone where it cannot be read."""
    try:
        return f"{file}, line {line_of(yaml.compose(file.read_text(encoding='utf-8'), Loader), keys)}"
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        return str(file)
