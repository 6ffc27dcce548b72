"""A definition is read in full, or refused with file, line and key."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import TypeAdapter, ValidationError

from pipelines.config import Check, Duration, PipelineConfig, load_config
from pipelines.errors import ConfigError

SOUND = """\
pipeline: trips
task: regression
metric: rmse
data:
  source: trips.csv
  target: y
  timestamp: at
columns:
  at: {type: time}
  x: {type: number}
  note: {type: text}
  skipped: {type: number, use: false, why: a leak}
  y: {type: number}
split:
  by: time
gates:
  thresholds:
    - {metric: r2, at_least: 0.5}
"""


def load(folder: Path, text: str) -> PipelineConfig:
    file = folder / "pipeline.yaml"
    file.write_text(text)
    return load_config(file)


def test_a_sound_definition(tmp_path: Path) -> None:
    config = load(tmp_path, SOUND)
    assert config.feature_columns == ["x"]  # no target, no timestamp, no text, nothing left out
    assert config.folder == tmp_path
    assert config.training.timeout == timedelta(hours=2)


@pytest.mark.parametrize(
    ("old", "new", "line", "words"),
    [
        ("metric: rmse\n", "metric: rmsee\n", 3, ["metric: ", "'rmsee'", "'rmse'"]),
        ("metric: rmse\n", "metric: auc\n", 3, ["metric: auc is no metric of regression", "rmse, mae, r2"]),
        ("metric: r2", "metric: f1", 18, ["gates.thresholds.0: f1 is no metric of regression"]),
        (
            "metric: r2",
            "metric: rr",
            18,
            ["gates.thresholds.0: rr is no metric of", "rmse, mae, mape"],
        ),
        ("gates:\n", "gates:\n  champion: {metric: auc}\n", 17, ["gates.champion: auc is no metric"]),
        ("gates:\n", "gates:\n  champion: {metric: coverage}\n", 17, ["gates.champion: of coverage neither"]),
        ("gates:\n", "gates:\n  champion: {margin: -1}\n", 17, ["gates.champion.margin"]),
        ("gates:\n", "gates:\n  champion: {margin: much}\n", 17, ["gates.champion.margin", "'much'"]),
        ("gates:\n", "gates:\n  champion: {level: 0.7}\n", 17, ["gates.champion.level", "0.5"]),
        ("gates:\n", "evaluation: {value: {a: {a: 1}}}\ngates:\n", 16, ["evaluation.value: a regression"]),
        (
            "gates:\n",
            "evaluation:\n  value:\n    a: {a: .nan}\ngates:\n",
            18,
            ["evaluation.value.a.a: Input should be a finite number (found nan)."],
        ),
        ("gates:\n", "evaluation: {metrics: [own:mae]}\ngates:\n", 16, ["evaluation: two metrics", "'mae'"]),
        ("gates:\n", "evaluation: {metrics: [mae]}\ngates:\n", 16, ["evaluation.metrics.0"]),
        ("gates:\n", "gates:\n  approval: true\n", 17, ["approval: expected keys of its own, as expires (f"]),
        ("task: regression\n", "", 1, ["task: Field required"]),
        ("split:\n", "training: {gpus: 1.5}\nsplit:\n", 14, ["training.gpus: ", "or whole ones"]),
        ("split:\n", "training: {gpus: -1}\nsplit:\n", 14, ["training.gpus"]),
        ("split:\n", "splitt:\n", 14, ["splitt: there is no such key", " monitoring,"]),
        (
            "  by: time\n",
            "  by: time\n  tset: 0.2\n",
            16,
            ["split.tset: there is no such key", "one of by, validation, test, gap."],
        ),
        ("x: {type: number}", "x: {typ: number}", 10, ["columns.x.typ: ", "one of type, use"]),
        ("gates:\n", "gates:\n  simpler: {most: 1}\n", 17, ["gates.simpler.most: ", "one of margin"]),
        ("  by: time\n", "  by: time\n  test: 1.5\n", 16, ["split.test: ", "less than 1", "found 1.5"]),
        ("  by: time\n", "  by: time\n  test: 0.9\n", 14, ["split: validation and test together"]),
        ("x: {type: number}", "x: {type: nummer}", 10, ["columns.x.type: ", "'nummer'"]),
        ("  target: y\n", "  target: z\n", 6, ["data.target: column 'z' is not among columns: at, x"]),
        ("  timestamp: at\n", "  timestamp: when\n", 7, ["data.timestamp: column 'when'"]),
        ("  timestamp: at\n", "", 14, ["split.by: time needs data.timestamp"]),
        ("  by: time\n", "  by: group\n", 15, ["split.by: group needs data.entity"]),
        ("  by: time\n", "  gap: 1 day\n", 15, ["split.gap: goes with `by: time`", "split.by is random"]),
        ("  by: time\n", "  by: time\n  gap: long\n", 16, ["split.gap: ", "'long'"]),
        ("  target: y\n", "  target: y\n  entity: z\n", 7, ["data.entity: column 'z' is not among"]),
        ("split:\n", "evaluation: {slices: [x, z]}\nsplit:\n", 14, ["evaluation.slices.1: 'z' is not among"]),
        ("split:\n", "evaluation: {slices: ['x > q']}\nsplit:\n", 14, ["evaluation.slices.0: 'q' is not"]),
        ("split:\n", "evaluation: {slices: ['`no x` > 1']}\nsplit:\n", 14, ["slices.0: 'no x' is not"]),
        ("split:\n", "evaluation: {slices: ['x >']}\nsplit:\n", 14, ["slices.0: 'x >' is neither a column"]),
        ("split:\n", "evaluation: {find_slices: -1}\nsplit:\n", 14, ["evaluation.find_slices: "]),
        ("split:\n", "evaluation: {groups: [z]}\nsplit:\n", 14, ["evaluation.groups.0: column 'z'"]),
        ("split:\n", "evaluation: {groups: x}\nsplit:\n", 14, ["evaluation.groups: fairness", "regression"]),
        ("pipeline: trips", "pipeline: My Trips", 1, ["pipeline: ", "'My Trips'"]),
        ("split:\n", "training: {timeout: 3 parsecs}\nsplit:\n", 14, ["training.timeout: ", "'3 parsecs'"]),
        ("split:\n", "monitoring: {window: 0 days}\nsplit:\n", 14, ["monitoring.window: ", "'0 days'"]),
        (
            "split:\n",
            "validation: {checks: [{column: x}]}\nsplit:\n",
            14,
            ["validation.checks.0: ", "expect_"],
        ),
        (
            "  y: {type: number}",
            "  y: {type: text}",
            13,
            ["columns.y.type: text", "needs numbers", "write number"],
        ),
        ("split:\n", "features: own:features\ntraining: {trend: true}\nsplit:\n", 15, ["training.trend: "]),
        ("data:\n", "data: [\n", 6, ["not YAML"]),
        ("data:\n", "data: a: b\n", 4, ["not YAML"]),
    ],
)
def test_an_error_names_file_line_and_key(
    tmp_path: Path, old: str, new: str, line: int, words: list[str]
) -> None:
    assert SOUND.count(old) == 1
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, SOUND.replace(old, new))
    assert f"{tmp_path / 'pipeline.yaml'}, line {line}: " in caught.value.message
    for word in words:
        assert word in caught.value.message
    assert caught.value.exit_code == 2
    assert caught.value.hint


@pytest.mark.parametrize(
    ("review", "words"),
    [
        ("privacy: {by: ' ', at: 2026-05-01, note: fine}", "audit.reviews.privacy.by: "),
        ("privacy: {by: Ada, at: 2026-05-01, note: ''}", "audit.reviews.privacy.note: "),
        ("privacy: {by: Ada, at: 2999-01-01, note: fine}", "privacy.at: this day lies ahead"),
        ("privacy: {by: Ada, at: soon, note: fine}", "audit.reviews.privacy.at: "),
        ("secrecy: {by: Ada, at: 2026-05-01, note: fine}", "'privacy'"),
    ],
)
def test_a_review_has_a_name_a_day_that_has_been_and_a_note(tmp_path: Path, review: str, words: str) -> None:
    with pytest.raises(ConfigError, match="line 21") as refused:
        load(tmp_path, f"{SOUND}audit:\n  reviews:\n    {review}\n")
    assert words in refused.value.message


def test_a_margin_is_a_number_or_a_share_and_comes_back_as_it_was(tmp_path: Path) -> None:
    text = SOUND.replace("gates:\n", "gates:\n  champion: {margin: 2.5%, improvement: 0.3, metric: value}\n")
    config = load(tmp_path, text + "evaluation: {metrics: [own:profit], value: own:money}\n")
    gate = config.gates.champion
    assert (gate.margin.value, gate.margin.share) == (0.025, True)
    assert gate.improvement is not None
    assert (gate.improvement.value, gate.improvement.share) == (0.3, False)
    assert config.evaluation.own_metrics == ["profit", "value"]
    assert PipelineConfig.model_validate_json(config.model_dump_json()) == config


@pytest.mark.parametrize("kind", ["number", "time"])
def test_classes_that_are_declared_as_something_else(tmp_path: Path, kind: str) -> None:
    """Codes such as 0 and 1 are classes where they are declared so, as `evergreen init` does."""
    text = SOUND.replace("task: regression\nmetric: rmse", "task: binary\nmetric: auc").replace("r2", "auc")
    with pytest.raises(ConfigError, match=rf"line 13: columns.y.type: {kind}, .* write category .*0 and 1"):
        load(tmp_path, text.replace("y: {type: number}", f"y: {{type: {kind}}}"))
    assert load(tmp_path, text.replace("y: {type: number}", "y: {type: category}")).task == "binary"


def test_a_trend_without_a_time(tmp_path: Path) -> None:
    text = SOUND.replace("  timestamp: at\n", "").replace("by: time", "by: random\ntraining: {trend: true}")
    with pytest.raises(ConfigError, match=r"line 15: training.trend: needs data.timestamp"):
        load(tmp_path, text)


def test_all_problems_are_told_at_once(tmp_path: Path) -> None:
    broken = SOUND.replace("metric: rmse\n", "metric: rmsee\n").replace("split:\n", "splitt:\n")
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, broken)
    assert [line.split(", line ")[1][:3] for line in caught.value.message.splitlines()] == ["3: ", "14:"]


@pytest.mark.parametrize("text", ["", "- a\n- b\n", "just words\n"])
def test_something_else_than_keys(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigError, match="line 1: expected keys"):
        load(tmp_path, text)


def test_no_text_at_all(tmp_path: Path) -> None:
    (tmp_path / "pipeline.yaml").write_bytes(b"\xff\xfe\x00\x01")
    for path in (tmp_path / "pipeline.yaml", tmp_path / "absent.yaml", tmp_path):
        with pytest.raises(ConfigError, match="cannot be read"):
            load_config(path)


def test_words_of_old_yaml_are_words(tmp_path: Path) -> None:
    config = load(
        tmp_path,
        SOUND.replace("metric: rmse\n", "metric: rmse\nretraining: {when: [drift]}\n").replace(
            "  x:", "  on:"
        ),
    )
    assert "on" in config.columns


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("7 days", timedelta(days=7)),
        ("1 hour", timedelta(hours=1)),
        ("1.5 hours", timedelta(minutes=90)),
        (" 30  minutes ", timedelta(minutes=30)),
        ("2 weeks", timedelta(days=14)),
        ("1week", timedelta(days=7)),
        ("P1D", timedelta(days=1)),
        (90, timedelta(seconds=90)),
        (timedelta(days=3), timedelta(days=3)),
    ],
)
def test_duration(text: object, expected: timedelta) -> None:
    assert TypeAdapter(Duration).validate_python(text) == expected


@pytest.mark.parametrize("text", ["soon", "3 months", "-1 days", "days", "", "9999999999999 weeks"])
def test_no_duration(text: str) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(Duration).validate_python(text)


def test_a_check_as_it_is_written_and_as_it_is_kept() -> None:
    short = Check.model_validate(
        {"expect_column_values_to_not_be_null": {"column": "x"}, "on_failure": "fail"}
    )
    assert (short.expectation, short.arguments, short.on_failure) == (
        "expect_column_values_to_not_be_null",
        {"column": "x"},
        "fail",
    )
    assert Check.model_validate(short.model_dump()) == short
    assert Check.model_validate({"expect_table_row_count_to_equal": None}).arguments == {}


@pytest.mark.parametrize(
    "check",
    [
        {"column": "x"},
        {"expect_a": {}, "expect_b": {}},
        {"expect_a": {}, "on_failure": "shrug"},
        {"expect_a": {}, "severity": "fail"},
        {"expect_a": 3},
        "expect_a",
    ],
)
def test_no_check(check: object) -> None:
    with pytest.raises(ValidationError):
        Check.model_validate(check)


def test_a_definition_survives_being_kept(tmp_path: Path) -> None:
    config = load(tmp_path, SOUND)
    assert PipelineConfig.model_validate(config.model_dump(mode="json")) == config


@pytest.mark.parametrize(
    ("gates", "words"),
    [
        ("slices: {}", "gates.slices: needs slices that are named under evaluation.slices"),
        ("fairness: {odds_difference: 0.1}", "gates.fairness: needs columns under evaluation.groups"),
        ("calibration: {ece: 0.1}", "gates.calibration: a regression has no probabilities"),
        ("fairness: {}", "gates.fairness: expected selection_ratio"),
        ("footprint: {size: 9 bananas}", "gates.footprint.size: "),
        ("own: nothing", "gates.own.0: "),
        ("leak: {verdict: perhaps}", "gates.leak.verdict: "),
        ("freshness: 0 days", "gates.freshness: "),
    ],
)
def test_a_gate_that_cannot_be_asked_is_refused(gates: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=re.escape(words)):
        load(tmp_path, SOUND.replace("gates:\n", f"gates:\n  {gates}\n"))
