"""The definition of a pipeline: `pipeline.yaml` as frozen models, with errors that name line and key."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from pipelines.errors import ConfigError
from pipelines.records import OnFailure, Task

ColumnType = Literal["number", "category", "time", "text"]
Metric = Literal["rmse", "mae", "r2", "auc", "accuracy", "log_loss", "f1"]
METRICS: dict[Task, tuple[Metric, ...]] = {
    "regression": ("rmse", "mae", "r2"),
    "binary": ("auc", "accuracy", "log_loss", "f1"),
    "multiclass": ("accuracy", "log_loss", "f1"),
}
UNITS = {"minute": 60, "hour": 3600, "day": 86400, "week": 604800}


def parse_duration(value: object) -> object:
    """`7 days`, `1 hour`, `30 minutes`, `2 weeks` as a timedelta; anything else is left to pydantic."""
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*(minute|hour|day|week)s?\s*", str(value))
    try:
        return timedelta(seconds=float(match[1]) * UNITS[match[2]]) if match else value
    except OverflowError as error:
        raise ValueError("longer than any calendar") from error


Duration = Annotated[timedelta, BeforeValidator(parse_duration), Field(ge=timedelta(0))]
Span = Annotated[Duration, Field(gt=timedelta(0))]  # where nothing happens in no time


class Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Format(Section):
    """How text files are written; what is not given is found out, file by file, and said in the report."""

    delimiter: str | None = Field(None, min_length=1, max_length=1)
    quote: str | None = Field(None, max_length=1)  # "" where nothing is quoted
    decimal: Literal[".", ","] = "."
    thousands: Literal[",", ".", " ", "'"] | None = None
    encoding: str | None = None
    header: bool = True
    missing: list[str] = []
    day_first: bool = False
    most_expansion: int = Field(100, ge=1)  # a compressed file that grows more than so many times is refused


class Watermark(Section):
    """A column that grows, time or key: a SQL source is read from the last value on, less `late`."""

    column: str
    late: Duration | float = 0.0


class Data(Section):
    """Where rows come from: files, folders, globs, addresses that fsspec knows, or a database.

    `${NAME}` in an address stands for an environment variable, so that no password is written here.
    """

    source: str | list[str]
    table: str | None = None  # of a database; or
    query: str | None = None
    target: str
    timestamp: str | None = None
    key: Annotated[list[str], BeforeValidator(lambda v: [v] if isinstance(v, str) else v)] = []
    watermark: Watermark | None = None
    retention: Span = timedelta(days=365)  # older snapshots may go, but for those that live models come from
    format: Format = Format()


class Column(Section):
    """`also` are other names that the column has in some files; an `optional` one may be absent there."""

    type: ColumnType
    use: bool = True
    also: list[str] = []
    optional: bool = False
    why: str = ""


class Check(Section):
    """One expectation in Great Expectations' own name and arguments."""

    expectation: str
    arguments: dict[str, Any] = {}
    on_failure: OnFailure = "quarantine"

    @model_validator(mode="before")
    @classmethod
    def from_short_form(cls, value: Any) -> Any:
        """`{expect_x: {column: a}, on_failure: fail}` is how it is written in YAML."""
        if not isinstance(value, dict) or "expectation" in value:
            return value
        names = [k for k in value if str(k).startswith("expect_") or k == "unexpected_rows_expectation"]
        if len(names) != 1:
            raise ValueError("a check has one key that starts with expect_ and, if wanted, on_failure")
        rest = {key: item for key, item in value.items() if key != names[0]}
        return {"expectation": names[0], "arguments": value[names[0]] or {}, **rest}


class DriftCheck(Section):
    """Each column of a batch against the last accepted snapshot, by total variation distance (0 to 1)."""

    most: float = Field(0.6, gt=0, le=1)
    minimum_rows: int = Field(200, ge=20)
    on_failure: Literal["fail", "warn"] = "warn"
    reversed: Literal["fail", "warn"] = "fail"  # columns tell the opposite of the target: flipped labels


class Validation(Section):
    checks: list[Check] = []
    most_quarantined: float = Field(0.1, ge=0, le=1)
    future: OnFailure | None = "quarantine"  # rows dated over a day ahead of the clock; null lets them in
    drift: DriftCheck | None = DriftCheck()


class Split(Section):
    """Shares of the rows held back.

    By time, the latest are the test and those before them the validation part.
    """

    by: Literal["time", "random"] = "random"
    validation: float = Field(0.2, gt=0, lt=1)
    test: float = Field(0.2, gt=0, lt=1)


class Model(Section):
    kind: Literal["network", "gradient_boosting"] = "network"
    width: int = Field(128, ge=4, le=4096)
    depth: int = Field(2, ge=1, le=16)
    dropout: float = Field(0.1, ge=0, lt=1)


class Training(Section):
    """`workers: auto` is a worker per GPU, one on a cluster without GPUs, local mode without a cluster."""

    workers: int | Literal["auto"] = "auto"
    epochs: int = Field(60, ge=1)
    patience: int = Field(8, ge=1)
    batch_size: int = Field(256, ge=2)
    learning_rate: float = Field(2e-3, gt=0)
    weight_decay: float = Field(1e-4, ge=0)
    half_life: Span | None = None  # a row this much older than the newest counts half
    seed: int = 7
    timeout: Span = timedelta(hours=2)


class Threshold(Section):
    metric: Metric
    at_least: float | None = None
    at_most: float | None = None


class Gates(Section):
    thresholds: list[Threshold] = []
    champion_margin: float = Field(
        0.01, ge=0
    )  # share of the champion's metric that a challenger may be worse by
    baseline: bool = True


class Monitoring(Section):
    schedule: str = "0 6 * * *"
    window: Span = timedelta(days=7)
    origin: datetime = datetime(
        1970, 1, 5
    )  # windows are counted from here: a Monday, so weeks begin on Mondays
    minimum_rows: int = Field(200, ge=10)
    drifted_share: float = Field(0.3, gt=0, le=1)
    quality_tolerance: float = Field(
        0.25, ge=0
    )  # share of the expected metric that the realised one may be worse by


class Retraining(Section):
    when: list[Literal["drift", "degraded"]] = ["degraded"]
    cooldown: Duration = timedelta(days=7)
    schedule: str | None = None


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
    training: Training = Training()
    gates: Gates = Gates()
    monitoring: Monitoring = Monitoring()
    retraining: Retraining = Retraining()
    folder: Path = Path()  # where pipeline.yaml lies; relative sources start there

    @property
    def features(self) -> list[str]:
        """The columns that the model sees, in the order of the definition."""
        skipped = {self.data.target, self.data.timestamp}
        return [
            c for c, spec in self.columns.items() if spec.use and c not in skipped and spec.type != "text"
        ]

    @model_validator(mode="after")
    def consistent(self) -> PipelineConfig:
        named = [("data.target", self.data.target), ("data.timestamp", self.data.timestamp)]
        named += [(f"data.key.{i}", name) for i, name in enumerate(self.data.key)]
        for key, name in named:
            if name is not None and name not in self.columns:
                raise ValueError(f"{key}: column {name!r} is not among columns: {', '.join(self.columns)}")
        asked = {"metric": self.metric} | {
            f"gates.thresholds.{i}": t.metric for i, t in enumerate(self.gates.thresholds)
        }
        for key, metric in asked.items():
            if metric not in METRICS[self.task]:
                raise ValueError(
                    f"{key}: {metric} is no metric of {self.task}, which has {', '.join(METRICS[self.task])}"
                )
        if self.data.table and self.data.query:
            raise ValueError("data.query: give data.table or data.query, not both")
        if self.split.by == "time" and self.data.timestamp is None:
            raise ValueError("split.by: time needs data.timestamp")
        if self.split.validation + self.split.test >= 1:
            raise ValueError("split: validation and test together leave nothing to train on")
        if not self.features and self.data.timestamp is None:
            raise ValueError("columns: no column is left for the model to learn from")
        return self


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
    for problem in error.errors(include_url=False):
        keys = tuple(str(part) for part in problem["loc"])
        message = problem["msg"].removeprefix("Value error, ")
        if not keys:  # a rule about several keys begins with the one to look at
            key, _, message = message.partition(": ")
            keys = tuple(key.split("."))
        if problem["type"] == "extra_forbidden":
            message = "there is no such key"
        found = (
            ""
            if problem["type"] in {"missing", "value_error", "extra_forbidden"}
            else f" (found {problem['input']!r:.60})"
        )
        lines.append(
            f"{file}, line {line_of(tree, keys)}: {'.'.join(keys) or 'definition'}: {message}{found}."
        )
    return "\n".join(lines)


def line_of(node: yaml.Node | None, keys: tuple[str, ...]) -> int:
    """The line, from 1, of the deepest node on the way along `keys`."""
    line = 1
    for key in keys:
        pairs: list[tuple[yaml.Node, yaml.Node]] = []
        if isinstance(node, yaml.MappingNode):
            pairs = [(k, v) for k, v in node.value if k.value == key]
        elif isinstance(node, yaml.SequenceNode) and key.isdigit() and int(key) < len(node.value):
            pairs = [(node.value[int(key)], node.value[int(key)])]
        if not pairs:
            break
        line, node = pairs[0][0].start_mark.line + 1, pairs[0][1]
    return line


def place_in(file: Path, keys: tuple[str, ...]) -> str:
    """Where a key of a definition is: `pipeline.yaml, line 7`; the file alone where it cannot be read."""
    try:
        return f"{file}, line {line_of(yaml.compose(file.read_text(encoding='utf-8'), Loader), keys)}"
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        return str(file)
