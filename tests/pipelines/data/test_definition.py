"""The first definition of a table is one that loads, and that a careful colleague would propose."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.config import Loader, PipelineConfig, load_config
from pipelines.data.definition import InitResult, init_definition
from pipelines.data.yaml_text import scalar
from pipelines.errors import DataError, EvergreenError, UsageError

RNG = np.random.default_rng(7)
N = 400
DAYS = pd.date_range("2023-01-01", periods=N, freq="D")
X = RNG.normal(size=N)
BASE = {
    "order id": np.arange(N) + 1000,
    "day": DAYS.strftime("%d/%m/%Y"),
    "x": X,
    "empty": None,
    "same": "k",
    "colour": RNG.choice(["red", "blue", "unknown"], N),
    "note": [f"words {i}" for i in range(N)],
    "age": [str(v) if v else "?" for v in RNG.integers(0, 60, N)],
}


def propose(
    folder: Path, target: object, timestamp: str | None = None, **more: object
) -> tuple[InitResult, PipelineConfig]:
    pd.DataFrame({**BASE, "target": target, **more}).to_csv(folder / "data.csv", index=False)
    result = init_definition(str(folder / "data.csv"), "target", timestamp, folder / "pipeline.yaml")
    return result, load_config(folder / "pipeline.yaml")


def roles(result: InitResult) -> dict[str, str]:
    return {column.name: column.role for column in result.columns}


def test_columns_get_their_type_and_role(tmp_path: Path) -> None:
    part, rest = RNG.integers(0, 90, N), RNG.integers(0, 90, N)
    result, config = propose(
        tmp_path, part + rest, "day", part=part, rest=rest, twin=np.exp((part + rest) / 50)
    )
    assert (result.task, config.metric, config.split.by, config.data.source) == (
        "regression",
        "rmse",
        "time",
        "data.csv",
    )
    assert config.data.format.day_first
    assert set(config.data.format.missing) == {"?", "unknown"}
    unused = {name for name, role in roles(result).items() if role == "unused"}
    assert unused == {"order id", "empty", "same", "note", "part", "rest", "twin"}
    assert config.features == ["x", "colour", "age"]
    assert sum("leak" in warning for warning in result.warnings) == 3
    assert config.monitoring.window.days == 7
    assert config.training.half_life is not None
    assert config.training.half_life.days == 100
    assert config.retraining.when == ["degraded"]


@pytest.mark.parametrize(
    ("target", "task", "metric"),
    [
        (X + RNG.normal(size=N), "regression", "rmse"),
        (RNG.poisson(4, N), "regression", "rmse"),
        (RNG.integers(0, 2, N), "binary", "auc"),
        (RNG.choice(["yes", "no"], N), "binary", "auc"),
        (RNG.integers(0, 4, N), "multiclass", "accuracy"),
        (RNG.choice(list("abc"), N), "multiclass", "accuracy"),
    ],
)
def test_the_task_follows_from_the_target(tmp_path: Path, target: object, task: str, metric: str) -> None:
    result, config = propose(tmp_path, target)
    assert (result.task, config.task, config.metric) == (task, task, metric)
    assert config.data.timestamp == "day"
    assert any("proposed as the timestamp" in warning for warning in result.warnings)


def test_leaks_of_a_class(tmp_path: Path) -> None:
    target = RNG.choice(["stay", "go"], N)
    gone = np.where(target == "go", X, np.nan)
    result, _ = propose(
        tmp_path,
        target,
        score=(target == "go") + X * 0.01,
        word=np.where(target == "go", "u", "v"),
        gone=gone,
    )
    assert {name for name, role in roles(result).items() if role == "unused"} >= {"score", "word", "gone"}
    assert roles(result)["x"] == "feature"


@pytest.mark.parametrize(
    ("target", "asked", "error", "said"),
    [
        ("k", "target", DataError, "1 value"),
        (None, "target", DataError, "no value"),
        ([f"name {i}" for i in range(N)], "target", DataError, "400 values"),
        ("k", "nothing", UsageError, "Columns found: order id, day, x"),
    ],
)
def test_a_target_that_cannot_be_learned(
    tmp_path: Path, target: object, asked: str, error: type[EvergreenError], said: str
) -> None:
    pd.DataFrame({**BASE, "target": target}).to_csv(tmp_path / "data.csv", index=False)
    with pytest.raises(error, match=said):
        init_definition(str(tmp_path / "data.csv"), asked, None, tmp_path / "pipeline.yaml")
    assert not (tmp_path / "pipeline.yaml").exists()


def test_awkward_names_and_few_rows(tmp_path: Path) -> None:
    names = [
        "a: b",
        "#1",
        "- dash",
        "on",
        "null",
        "3",
        'q"uote',
        "{x}",
        "é, ß",
        "back\\slash",
        "%",
        "it's",
        "two\nlines",
    ]
    frame = pd.DataFrame(
        {name: RNG.choice(["u", "v: w", "#"], 30) for name in names} | {"true": RNG.normal(size=30)}
    )
    frame.to_csv(tmp_path / "2024 data.csv", index=False)
    result = init_definition(str(tmp_path / "2024 data.csv"), "true", None, tmp_path / "new" / "p.yaml")
    config = load_config(tmp_path / "new" / "p.yaml")
    assert list(config.columns) == [*names, "true"]
    assert (config.pipeline, config.data.source) == ("p-2024-data", "../2024 data.csv")
    assert any("Only 30 rows" in warning for warning in result.warnings)


def test_a_definition_that_was_there_is_kept(tmp_path: Path) -> None:
    (tmp_path / "pipeline.yaml").write_text("mine")
    result, _ = propose(tmp_path, X + RNG.normal(size=N))
    assert (tmp_path / "pipeline.yaml.before").read_text() == "mine"
    assert any("kept as" in warning for warning in result.warnings)


@settings(max_examples=60, deadline=None)
@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1))
def test_any_text_is_read_back(text: str) -> None:
    import yaml

    assert list(yaml.load(f"{{{scalar(text)}: {{v: {scalar(text)}}}}}", Loader)) == [text]  # noqa: S506


DATA = Path(__file__).parents[4] / "shared" / "data"


@pytest.mark.skipif(not DATA.exists(), reason="the development sets are not here")
def test_hourly_bikes(tmp_path: Path) -> None:
    result = init_definition(str(DATA / "bike_sharing_hourly/hour.csv"), "cnt", "dteday", tmp_path / "p.yaml")
    unused = {name for name, role in roles(result).items() if role == "unused"}
    assert unused == {"instant", "casual", "registered"}
    assert load_config(tmp_path / "p.yaml").monitoring.window.days == 30


@pytest.mark.skipif(not DATA.exists(), reason="the development sets are not here")
def test_melbourne_is_read_day_first(tmp_path: Path) -> None:
    result = init_definition(
        str(DATA / "melbourne_housing/melb_data.csv"), "Price", "Date", tmp_path / "p.yaml"
    )
    config = load_config(tmp_path / "p.yaml")
    assert config.data.format.day_first
    assert {name for name, role in roles(result).items() if role == "unused"} == {"Id", "Address"}
    assert config.columns["Postcode"].type == "category"
