"""The first definition of a table is one that loads, and that a careful colleague would propose."""

import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.config import DriftCheck, Loader, PipelineConfig, load_config
from pipelines.data.definition import proposal as definition
from pipelines.data.definition.proposal import InitResult, init_definition
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
    assert config.feature_columns == ["x", "colour", "age"]
    assert sum("leak" in warning for warning in result.warnings) == 3
    assert config.monitoring.window.days == 7
    assert config.training.half_life == "auto"
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


def test_a_column_that_tells_much_is_no_leak(tmp_path: Path) -> None:
    """As carats of a diamond's price, petals of one of three irises; what tells nearly all is asked about."""
    carat = np.exp(X / 2)
    honest, _ = propose(tmp_path, carat * np.exp(RNG.normal(scale=0.15, size=N)), carat=carat)
    assert roles(honest)["carat"] == "feature"
    close, _ = propose(tmp_path, X + RNG.normal(scale=0.2, size=N))
    [x] = [column for column in close.columns if column.name == "x"]
    assert (x.role, "is it known when a prediction is asked for?" in x.why) == ("feature", True)
    kinds = np.repeat(["setosa", "versicolor", "virginica"], [N // 4, N // 4, N // 2])
    petals = (kinds != "setosa") * 10 + X
    assert roles(propose(tmp_path, kinds, petals=petals)[0])["petals"] == "feature"


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


def test_of_few_rows_more_are_held_back_and_the_largest_number_has_bounds(tmp_path: Path) -> None:
    shares = []
    for rows in (60, 120):
        x = RNG.normal(size=rows)
        most = np.where(np.arange(rows) % 5 == 0, 1.7e308, x)
        pd.DataFrame({"x": x, "most": most, "y": x**2}).to_csv(tmp_path / "few.csv", index=False)
        init_definition(str(tmp_path / "few.csv"), "y", None, tmp_path / "few.yaml")
        shares.append(load_config(tmp_path / "few.yaml").split.test)
    assert shares == [0.3, 0.2]


def test_nothing_to_learn_from_is_said_of_each_column(tmp_path: Path) -> None:
    pd.DataFrame({"same": 3, "y": RNG.normal(size=60)}).to_csv(tmp_path / "few.csv", index=False)
    with pytest.raises(DataError, match=r"is left to learn from\. same: constant: always 3"):
        init_definition(str(tmp_path / "few.csv"), "y", None, tmp_path / "few.yaml")


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


DATA = Path(__file__).parents[5] / "shared" / "data"


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


# --------------------------------------------------------------------------- large, odd and faraway tables


def test_a_large_table_is_told_from_a_sample(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(definition, "PROFILED", 150)
    result, config = propose(tmp_path, X + RNG.normal(size=N))
    page = (tmp_path / "pipeline.yaml").read_text()
    assert "from 100 of 400 rows" in page
    assert any("from 100 of 400 rows" in warning for warning in result.warnings)
    assert config.columns["x"].type == "number"


def test_what_is_written_otherwise_stands_in_the_format(tmp_path: Path) -> None:
    rows = "\n".join(f"{i}.{i:03},5;'{i % 7}';{i % 3}" for i in range(1, 300))
    (tmp_path / "d.csv").write_text(f"Größe;'b';'y'\n{rows}\n", encoding="latin-1")
    init_definition(str(tmp_path / "d.csv"), "y", None, tmp_path / "p.yaml")
    config = load_config(tmp_path / "p.yaml")
    fmt = config.data.format
    assert (fmt.delimiter, fmt.decimal, fmt.thousands, fmt.quote) == (";", ",", ".", "'")
    assert fmt.encoding is not None
    assert config.columns["Größe"].type == "number"


def test_features_must_not_go_silent_and_sparse_ones_may(tmp_path: Path) -> None:
    few, many = (np.where(RNG.random(N) < share, np.nan, X) for share in (0.1, 0.5))
    _, config = propose(tmp_path, X + RNG.normal(size=N), few=few, many=many)
    present = {
        check.arguments["column"]: check
        for check in config.validation.checks
        if check.expectation == "expect_column_values_to_not_be_null" and "mostly" in check.arguments
    }
    assert set(present) == {"x", "age", "few"}
    assert present["few"].on_failure == "fail"
    assert 0.5 < present["few"].arguments["mostly"] < 0.65
    assert config.validation.drift == DriftCheck()


def test_relations_and_a_key_are_proposed(tmp_path: Path) -> None:
    _, config = propose(tmp_path, X + RNG.normal(size=N), price_low=X, price_high=X + 1)
    found = [c for c in config.validation.checks if "pair" in c.expectation]
    assert [(c.arguments["column_A"], c.arguments["column_B"]) for c in found] == [
        ("price_high", "price_low")
    ]
    assert "  # key: order id" in (tmp_path / "pipeline.yaml").read_text()
    assert config.data.key == []


def test_rows_of_the_future_are_let_in_where_the_data_has_them(tmp_path: Path) -> None:
    later = pd.Timestamp.now() + pd.to_timedelta(np.arange(N) - 10, unit="D")
    result, config = propose(tmp_path, X + RNG.normal(size=N), "due", due=later.strftime("%Y-%m-%d"))
    assert config.validation.future is None
    assert any("ahead of the clock" in warning for warning in result.warnings)
    _, config = propose(tmp_path, X + RNG.normal(size=N), "day")
    assert config.validation.future == "quarantine"


def test_dates_of_two_readings_are_said(tmp_path: Path) -> None:
    days = [f"{1 + i % 12}/{1 + i // 7 % 12}/2024" for i in range(N)]
    result, config = propose(tmp_path, X + RNG.normal(size=N), "on", on=days, day=days)
    assert any("two ways" in warning for warning in result.warnings)
    assert "day_first: false" in (tmp_path / "pipeline.yaml").read_text()
    assert not config.data.format.day_first


def test_what_looks_wrong_is_said(tmp_path: Path) -> None:
    label = RNG.choice(["<=50K", ">50K"], N).astype(object)
    label[:20] = ">50K."
    hours = RNG.integers(0, 40, N)
    hours[::20] = 999
    result, config = propose(tmp_path, label, hours=hours, big=2**60 + np.arange(N) * 3)
    said = "\n".join(result.warnings)
    assert "'>50K' and '>50K.' look alike" in said
    assert "hours: 999 stands in 20 rows" in said
    assert "2^53" in said
    assert config.columns["big"].type == "text"


def test_two_classes_and_a_slip_are_said(tmp_path: Path) -> None:
    label = RNG.choice(["yes", "no"], N).astype(object)
    label[:2] = "maybe"
    result, _ = propose(tmp_path, label)
    assert result.task == "multiclass"
    assert any("task: binary" in warning for warning in result.warnings)


@pytest.mark.parametrize(("table", "query"), [("sales", None), (None, "select * from sales where x > -9")])
def test_a_table_of_a_database(tmp_path: Path, table: str | None, query: str | None) -> None:
    import sqlite3

    frame = pd.DataFrame({**BASE, "target": X + RNG.normal(size=N)})
    with sqlite3.connect(tmp_path / "shop.db") as connection:
        frame.to_sql("sales", connection, index=False)
    url = f"sqlite:///{tmp_path}/shop.db"
    init_definition(url, "target", None, tmp_path / "p.yaml", table, query)
    config = load_config(tmp_path / "p.yaml")
    assert (config.data.source, config.data.table, config.data.query) == (url, table, query)
    assert config.pipeline == ("sales" if table else "shop")
    assert config.columns["x"].type == "number"


@pytest.mark.parametrize(
    ("address", "written"),
    [
        ("postgresql://ann:pa%40ss@db/shop", "postgresql://ann:${EVERGREEN_SOURCE_PASSWORD}@db/shop"),
        ("postgresql://ann:${PW}@db/shop", "postgresql://ann:${PW}@db/shop"),
        ("postgresql://db/shop", "postgresql://db/shop"),
        ("s3://bucket/a.csv", "s3://bucket/a.csv"),
        (
            "https://h/a.csv?a=1&sig=abc&token=def",
            "https://h/a.csv?a=1&sig=${EVERGREEN_SOURCE_PASSWORD}&token=${EVERGREEN_SOURCE_PASSWORD_2}",
        ),
        (
            "https://abc@h/a.csv?pwd=x",
            "https://${EVERGREEN_SOURCE_PASSWORD}@h/a.csv?pwd=${EVERGREEN_SOURCE_PASSWORD_2}",
        ),
        ("data/a?token=1.csv", "data/a?token=1.csv"),
    ],
)
def test_secrets_are_not_written(address: str, written: str) -> None:
    found, said = definition.without_secrets(address)
    assert found == written
    assert len(said) == written.count("${EVERGREEN")


def test_names_with_terminal_escapes_are_shown(tmp_path: Path) -> None:
    name = "\x1b[31my\n"
    pd.DataFrame({"x": X, name: X + RNG.normal(size=N)}).to_parquet(tmp_path / "d.parquet")
    result = init_definition(str(tmp_path / "d.parquet"), name.strip(), None, tmp_path / "p.yaml")
    assert "\x1b" not in (tmp_path / "p.yaml").read_text()
    assert load_config(tmp_path / "p.yaml").data.target == result.target == name.strip()


def test_thousands_of_columns(tmp_path: Path) -> None:
    wide = {f"n{i}": RNG.normal(size=60) for i in range(600)}
    pd.DataFrame({**wide, "y": RNG.normal(size=60)}).to_csv(tmp_path / "d.csv", index=False)
    start = time.monotonic()
    init_definition(str(tmp_path / "d.csv"), "y", None, tmp_path / "p.yaml")
    assert time.monotonic() - start < 15
    assert len(load_config(tmp_path / "p.yaml").columns) == 601


def test_clock_times_and_long_ids_are_no_times_and_no_numbers(tmp_path: Path) -> None:
    label = RNG.choice(["a", "b"], N)
    clock = [f"{i % 24:02}:{i % 60:02}" for i in range(N)]
    ids = [10**18 + 1 if i == 7 else i % 9 for i in range(N)]  # one that a number would round
    _, config = propose(tmp_path, label, clock=clock, account=ids, y2=RNG.normal(size=N))
    assert (config.columns["clock"].type, config.columns["account"].type) == ("text", "category")
