"""Write the first pipeline.yaml of a table: every choice visible, each with its reason, for a person to edit."""

from __future__ import annotations

import json
import os
import re
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from pipelines.config import Format, load_config
from pipelines.data.profiling import ColumnProfile, Profile, profile_table
from pipelines.data.sources import CSV_ENDINGS, find_files, local_path, read_table, sniff_delimiter, text_head
from pipelines.errors import DataError
from pipelines.records import Record, Task

if TYPE_CHECKING:
    import pandas as pd

METRICS: dict[Task, str] = {"regression": "rmse", "binary": "auc", "multiclass": "accuracy"}
WINDOWS = ((30, "30 days"), (7, "7 days"), (1, "1 day"))
FILES_READ = 50  # of a folder of many files, the last so many are profiled

TEMPLATE = """\
# {name}: predict {target_plain} ({task}). Proposed by `evergreen init` from {rows:,} rows; edit it freely.
# Then: evergreen train {file}

pipeline: {name}
task: {task}                # regression, binary or multiclass
metric: {metric}                  # what challengers and the champion are compared by

data:
  source: {source}  # a file, a folder or a glob; relative to this file
  target: {target}
{timestamp}\
  format: {format}

# type: number, category, time or text. use: false keeps a column in the data and out of the model.
columns:
{columns}

# Great Expectations' own names and arguments. on_failure: quarantine sets the rows aside, fail refuses the whole
# batch, warn only says so. Bounds are what was seen, and half as much again.
validation:
  most_quarantined: 0.1     # a batch with a larger share of bad rows is refused as a whole
  checks:
{checks}

split:
  by: {split}                  # {split_why}
  validation: 0.2           # stops the training in time
  test: 0.2                 # judges the model; never seen in training

model:
  kind: network             # or gradient_boosting
  width: 128
  depth: 2
  dropout: 0.1

training:
  workers: auto             # a worker per GPU; one process where there is none
  epochs: 60
  patience: 8               # epochs without progress before it stops
  batch_size: 256
  learning_rate: 0.002
{half_life}\
  seed: 7

# A challenger becomes champion if all of these hold.
gates:
  thresholds:
    - {threshold}
  champion_margin: 0.01     # may be worse than the champion by this share of its metric
  baseline: true            # must beat {baseline}

monitoring:
  schedule: "0 6 * * *"     # cron: when the logged predictions are looked at
  window: {window_padded}# {window_why}
  minimum_rows: {minimum_rows}         # a window with fewer rows is not judged
  drifted_share: 0.3        # share of drifted columns from which a window is called drifted
  quality_tolerance: 0.25   # share by which the metric may be worse than at promotion

retraining:
  on: [degraded]            # add drift to retrain before labels tell
  cooldown: 7 days          # at least so long between two automatic trainings
"""


class ColumnChoice(Record):
    name: str
    type: str
    role: str
    why: str


class InitResult(Record):
    """What `init` answers; `pipeline` is the path of the definition written."""

    pipeline: str
    task: Task
    target: str
    columns: list[ColumnChoice]
    warnings: list[str]


def init_definition(data: str, target: str, timestamp: str | None, out: Path) -> InitResult:
    """Profile the data (relative to the current folder) and write a commented definition to `out`.

    Raises DataError for data that cannot be read or learned from, UsageError for a column that is not there.
    """
    files = find_files(data, Path.cwd())[-FILES_READ:]
    fmt = discover_format(files[0], target)
    profile = profile_table(read_all(files, fmt), target, timestamp, fmt)
    return write_definition(
        profile, Path.cwd() / local_path(data), out, slug(files[0] if len(files) == 1 else local_path(data))
    )


def read_all(files: list[Path], fmt: Format) -> pd.DataFrame:
    import pandas as pd

    frames = [read_table(file, fmt) for file in files]
    return frames[0] if len(frames) == 1 else pd.concat(frames, ignore_index=True)


def discover_format(file: Path, target: str) -> Format:
    """Delimiter, and whether there is a header: there is, unless a number stands where names should."""
    text = "" if not file.name.lower().endswith((*CSV_ENDINGS, ".tsv", ".txt", ".data")) else text_head(file)
    lines = [line for line in text.splitlines() if line.strip()]
    if not lines:
        return Format()
    delimiter = sniff_delimiter(text)
    cells = [cell.strip().strip('"') for cell in lines[0].split(delimiter)]
    header = target in cells or not any(re.fullmatch(r"[+-]?\d+(\.\d+)?", cell) for cell in cells)
    return Format(delimiter=None if delimiter == "," else delimiter, header=header)


def slug(path: Path) -> str:
    """A pipeline's name from a file's."""
    stem = path.name if not path.suffix else path.name.split(".")[0]
    if "*" in stem or not stem:
        stem = path.absolute().parent.name
    name = re.sub(r"[^a-z0-9]+", "-", stem.lower()).strip("-")
    return (name if name[:1].isalpha() else f"p-{name}".rstrip("-"))[:63].rstrip("-")


# ------------------------------------------------------------------------------------------------ writing


def write_definition(profile: Profile, data_path: Path, out: Path, name: str) -> InitResult:
    """Write the definition and check that it loads; a file that was there before is kept as `<out>.before`."""
    text = render(profile, relative_source(data_path, out), out.name, name)
    warnings = list(profile.warnings)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        if out.exists() and out.read_text(encoding="utf-8", errors="replace") != text:
            kept = out.with_name(f"{out.name}.before")
            out.replace(kept)
            warnings.append(f"{out} was there before; it is kept as {kept.name}.")
        out.write_text(text, encoding="utf-8")
    except OSError as error:
        raise DataError(f"{out} cannot be written: {error.strerror}.", "Give another --out.") from error
    load_config(out)
    choices = [ColumnChoice(name=c.name, type=c.type, role=c.role, why=c.why) for c in profile.columns]
    return InitResult(
        pipeline=str(out), task=profile.task, target=profile.target, columns=choices, warnings=warnings
    )


def relative_source(data: Path, out: Path) -> str:
    """The data as seen from the definition's folder; absolute where that is far away."""
    relative = os.path.relpath(data, out.absolute().parent)
    return str(data.absolute()) if relative.count("..") > 2 else relative


def render(profile: Profile, source: str, file: str, name: str) -> str:
    window, window_why, minimum = choose_window(profile)
    by_time = profile.timestamp is not None
    return TEMPLATE.format(
        name=name,
        file=file,
        rows=profile.rows,
        task=profile.task,
        metric=METRICS[profile.task],
        target=scalar(profile.target),
        target_plain=" ".join(profile.target.split()),
        source=scalar(source),
        timestamp=f"  timestamp: {scalar(profile.timestamp)}\n" if profile.timestamp is not None else "",
        format=format_line(profile.format),
        columns="\n".join(column_lines(profile.columns)),
        checks="\n".join(check_lines(profile)),
        split="time  " if by_time else "random",
        split_why="the newest rows judge the model, as in use" if by_time else "there is no time column",
        half_life=half_life_line(profile),
        threshold=threshold(profile),
        baseline="the mean" if profile.task == "regression" else "the most frequent class",
        window_padded=f"{window:<18}",
        window_why=window_why,
        minimum_rows=f"{minimum:<4}",
    )


def format_line(fmt: Format) -> str:
    """Only what differs from the default."""
    parts = []
    if fmt.delimiter is not None:
        parts.append(f"delimiter: {json.dumps(fmt.delimiter)}")
    if not fmt.header:
        parts.append("header: false")
    if fmt.missing:
        parts.append(f"missing: [{', '.join(json.dumps(mark) for mark in fmt.missing)}]")
    if fmt.day_first:
        parts.append("day_first: true")
    return (
        "{"
        + ", ".join(parts)
        + "}"
        + ("" if parts else "  # delimiter, decimal, encoding, header, missing, day_first")
    )


def column_lines(columns: list[ColumnProfile]) -> list[str]:
    width = max(len(scalar(c.name)) for c in columns) + 1
    lines = []
    for c in columns:
        parts = [f"type: {c.type}"] + (["use: false"] if c.role == "unused" else [])
        why = c.why or ("what to predict" if c.role == "target" else "")
        if c.missing >= 0.005:
            why = f"{why}, {c.missing:.0%} missing".removeprefix(", ")
        parts += [f"why: {json.dumps(why, ensure_ascii=False)}"] if why else []
        lines.append(f"  {scalar(c.name) + ':':<{width}} {{{', '.join(parts)}}}")
    return lines


def check_lines(profile: Profile) -> list[str]:
    """A line a check: rows there, target and time there, numbers within wide bounds, few categories as known."""
    lines = ["    - expect_table_row_count_to_be_between: {min_value: 1}", "      on_failure: fail"]
    for name in dict.fromkeys([profile.target, *([profile.timestamp] if profile.timestamp else [])]):
        lines.append(f"    - expect_column_values_to_not_be_null: {{column: {scalar(name)}}}")
    for c in profile.columns:
        column = f"column: {scalar(c.name)}"
        if c.role not in {"feature", "target"}:
            continue
        if c.type == "number" and c.low is not None and c.high is not None:
            low, high = number(c.low), number(c.high)
            lines.append(
                f"    - expect_column_values_to_be_between: {{{column}, min_value: {low}, max_value: {high}}}"
            )
        elif c.type == "category" and c.values:
            known = ", ".join(json.dumps(value, ensure_ascii=False) for value in c.values)
            lines.append(f"    - expect_column_values_to_be_in_set: {{{column}, value_set: [{known}]}}")
            lines.append(f"      on_failure: {'quarantine' if c.role == 'target' else 'warn'}")
    return lines


def number(value: float) -> str:
    return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)


def choose_window(profile: Profile) -> tuple[str, str, int]:
    """How long a monitored window is: long enough for 200 rows, short enough that the data has about twenty."""
    if profile.span is None or profile.span < timedelta(hours=2):
        return "7 days", "by the moment of scoring", 200
    days = max(profile.span / timedelta(days=1), 1e-6)
    per_day = profile.rows / days
    for length, words in WINDOWS:
        if days / length >= 20 or (length < 30 and per_day * length < 200 and days / length >= 10):
            rows = int(per_day * length)
            return (
                words,
                f"about {rows:,} rows, {days / length:.0f} windows so far",
                max(10, min(200, rows // 2)),
            )
    if days / 1 >= 5:
        return "1 day", f"about {per_day:,.0f} rows", max(10, min(200, int(per_day / 2)))
    return "1 hour", f"about {per_day / 24:,.0f} rows", max(10, min(200, int(per_day / 48)))


def half_life_line(profile: Profile) -> str:
    if profile.span is None or profile.span < timedelta(days=28):
        return ""
    days = max(14, round(profile.span.days / 4))
    return f"  half_life: {f'{days} days':<15}# a row this much older than the newest counts half\n"


def threshold(profile: Profile) -> str:
    if profile.task == "regression":
        return "{metric: r2, at_least: 0.0}   # a modest bar: raise it to what you need"
    if profile.task == "binary":
        return "{metric: auc, at_least: 0.6}   # 0.5 is chance: raise it to what you need"
    least = f"{profile.majority:.2f}"
    return f"{{metric: accuracy, at_least: {least}}}   # the share of the most frequent class: raise it"


def scalar(text: str) -> str:
    """Text as YAML reads it back in a key, a value or a flow mapping: plain where that is safe, else quoted."""
    plain = re.fullmatch(r"[A-Za-z_./][\w./-]*( [\w./-]+)*", text, re.ASCII)
    if plain and isinstance(yaml.safe_load(text), str):
        return text
    return json.dumps(text, ensure_ascii=not text.isprintable())
