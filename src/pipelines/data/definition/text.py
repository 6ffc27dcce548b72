"""The text of a proposed pipeline.yaml: written by hand as a page, with the profile's findings put in."""

from __future__ import annotations

from datetime import timedelta

from pipelines.config import Format
from pipelines.data.definition.checks import check_lines
from pipelines.data.definition.column_profiles import ColumnProfile
from pipelines.data.definition.profiling import Profile
from pipelines.data.yaml_text import quoted, scalar
from pipelines.markdown import make_visible
from pipelines.records import Task

METRICS: dict[Task, str] = {"regression": "rmse", "binary": "auc", "multiclass": "accuracy"}
FEW = 100  # rows, of which a fifth may be less than the ten that a part needs
WINDOWS = ((30, "30 days"), (7, "7 days"), (1, "1 day"))

TEMPLATE = """\
# {name}: predict {target_plain} ({task}). Proposed by `evergreen init` from {seen}; edit it freely.
# Then: evergreen train {file}

pipeline: {name}
task: {task:<22}# regression, binary or multiclass
metric: {metric:<20}# what challengers and the champion are compared by

data:
  source: {source}  # file, folder, glob or address; relative to this file
{origin}\
  target: {target}
{timestamp}\
{key}\
  format: {format}

# type: number, category, time or text. use: false keeps a column in the data and out of the model.
columns:
{columns}

# Great Expectations' own names and arguments. on_failure: quarantine sets the rows aside, fail refuses the
# whole batch, warn only says so. Bounds are what was seen, and half as much again; `mostly` leaves room, too.
validation:
  most_quarantined: 0.1     # a batch with a larger share of bad rows is refused as a whole
{future}\
  # Each column of a batch against the data before it: 0 is alike, 1 has nothing in common. reversed: columns
  # that told of the target tell the opposite, as flipped labels do.
  drift: {{most: 0.6, minimum_rows: 200, on_failure: warn, reversed: fail}}
  checks:
{checks}

split:
  by: {split:<22}# {split_why}
  validation: {share}           # stops the training in time
  test: {share}                 # judges the model; never seen in training

# auto tries linear, gradient_boosting and tabm (a network), and takes the simplest that is as good as the
# best. Or one of these, or mlp, or module:function that builds a torch module.
model: auto

training:
  workers: auto             # a worker per GPU; one process where there is none
  refit: true               # once all is chosen, learn from the validation part, too
{half_life}\
  seed: 7

# tuning: {{trials: 20, time: 10 minutes}}    # a search for better settings before each training

# evaluation:                # what else is looked at; docs/judgment.md has all of it, and the gates on it
#   slices: [{slice}]
#   intended_use: who may use the predictions, and what for

# A challenger becomes champion if all of these hold.
gates:
  thresholds:
    - {threshold}
  champion: {{rule: non_inferiority, margin: 1%, level: 0.05}}  # may be 1 % worse than the champion, no more
  baseline: true            # must beat {baseline}

monitoring:
  schedule: "0 6 * * *"     # cron: when the logged predictions are looked at
  window: {window:<18}# {window_why}
  minimum_rows: {minimum:<12}# a window with fewer rows is not judged
  drifted_share: 0.3        # share of drifted columns from which a window is called drifted
  quality_tolerance: 0.25   # share by which the metric may be worse than at promotion

retraining:
  when: [degraded]          # add drift to retrain before labels tell
  cooldown: 7 days          # at least so long between two automatic trainings
"""


def render(profile: Profile, data: dict[str, str], file: str, name: str) -> str:
    """The page; `data` has the source and, of a database, the table or query."""
    window, window_why, minimum = choose_window(profile)
    by_time = profile.timestamp is not None
    return TEMPLATE.format(
        name=name,
        file=file,
        seen=seen(profile),
        task=profile.task,
        metric=METRICS[profile.task],
        target=scalar(profile.target),
        target_plain=make_visible(" ".join(profile.target.split())),
        source=scalar(data["source"]),
        origin="".join(f"  {key}: {scalar(data[key])}\n" for key in ("table", "query") if key in data),
        key=key_lines(profile),
        future=future_line(profile),
        timestamp=f"  timestamp: {scalar(profile.timestamp)}\n" if profile.timestamp is not None else "",
        format=format_line(profile),
        columns="\n".join(column_lines(profile.columns)),
        checks="\n".join(check_lines(profile)),
        split="time" if by_time else "random",
        split_why="the newest rows judge the model, as in use" if by_time else "there is no time column",
        share=0.2 if profile.rows >= FEW else 0.3,
        half_life=half_life_line(profile),
        slice=slice_of(profile),
        threshold=threshold(profile),
        baseline="the mean" if profile.task == "regression" else "the most frequent class",
        window=window,
        window_why=window_why,
        minimum=minimum,
    )


def seen(profile: Profile) -> str:
    part = f"{profile.profiled:,} of " if profile.profiled < profile.rows else ""
    return f"{part}{profile.rows:,} rows"


def key_lines(profile: Profile) -> str:
    """A key is only suggested: whoever sets it promises that no two rows share it."""
    key = next((c.name for c in profile.columns if c.key), None)
    if key is None:
        return ""
    return (
        f"  # key: {scalar(key)}\n"
        "  # That column has another value in every row. As the key, it tells a row that comes again with\n"
        "  # other values from a new one: such a row is set aside.\n"
    )


def future_line(profile: Profile) -> str:
    """Rows of the future, said where there is a time."""
    if profile.timestamp is None:
        return ""
    if profile.future:
        return "  future: null              # rows dated ahead of the clock are let in: the data has some\n"
    return "  future: quarantine        # rows dated more than a day ahead of the clock; null lets them in\n"


def format_line(profile: Profile) -> str:
    """Only what differs from the default, and what is doubtful."""
    fmt = profile.format
    parts = [
        f"{name}: {quoted(value)}"
        for name in ("delimiter", "quote", "decimal", "thousands", "encoding")
        if (value := getattr(fmt, name)) != Format.model_fields[name].default
    ]
    if not fmt.header:
        parts.append("header: false")
    if fmt.missing:
        parts.append(f"missing: [{', '.join(quoted(mark) for mark in fmt.missing)}]")
    if fmt.day_first or profile.ambiguous:
        parts.append(f"day_first: {str(fmt.day_first).lower()}")
    rest = "" if parts else "  # delimiter, quote, decimal, thousands, encoding, header, missing, day_first"
    return f"{{{', '.join(parts)}}}{rest}"


def column_lines(columns: list[ColumnProfile]) -> list[str]:
    width = max(len(scalar(c.name)) for c in columns) + 1
    lines = []
    for c in columns:
        parts = [f"type: {c.type}"] + (["use: false"] if c.role == "unused" else [])
        why = c.why or ("what to predict" if c.role == "target" else "")
        if c.missing >= 0.005:
            why = f"{why}, {c.missing:.0%} missing".removeprefix(", ")
        parts += [f"why: {quoted(why)}"] if why else []
        lines.append(f"  {scalar(c.name) + ':':<{width}} {{{', '.join(parts)}}}")
    return lines


def choose_window(profile: Profile) -> tuple[str, str, int]:
    """A monitored window: long enough for 200 rows, short enough that the data has about twenty."""
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
    return f"  half_life: auto           # {days} days: a row so much older counts half; auto: if it helps\n"


def slice_of(profile: Profile) -> str:
    """A column worth a look by its groups: the first category that the model sees, else a number."""
    kinds = [
        [c.name for c in profile.columns if c.role == "feature" and c.type == kind]
        for kind in ("category", "number")
    ]
    return next((scalar(names[0]) for names in kinds if names), scalar(profile.target))


def threshold(profile: Profile) -> str:
    if profile.task == "regression":
        return "{metric: r2, at_least: 0.0}   # a modest bar: raise it to what you need"
    if profile.task == "binary":
        return "{metric: auc, at_least: 0.6}   # 0.5 is chance: raise it to what you need"
    least = f"{profile.majority:.2f}"
    return f"{{metric: accuracy, at_least: {least}}}   # the share of the most frequent class: raise it"
