"""A file scored with a real model: in its order, typed as in training, logged once."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import pandas as pd
import pytest

from pipelines import scoring
from pipelines.config import Column, ColumnType, Data, Format, Model, PipelineConfig
from pipelines.data.storage.tables import open_table
from pipelines.errors import DataError, EvergreenError, UsageError
from pipelines.home import Home
from pipelines.models.bundle import FEATURES, Description, begin_bundle, hash_files
from pipelines.models.features import fit_features
from pipelines.models.networks import find_bins
from pipelines.records import ServedModel, Task

CONFIG = PipelineConfig(
    pipeline="rides",
    task="binary",
    metric="auc",
    data=Data(
        source="-", target="busy", timestamp="at", format=Format(delimiter=";", decimal=",", day_first=True)
    ),
    columns={
        "x": Column(type="number"),
        "zone": Column(type="category"),
        "at": Column(type="time"),
        "busy": Column(type="category"),
    },
)
TYPES: dict[str, ColumnType] = {"x": "number", "zone": "category", "at": "time"}


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> ServedModel:
    """Version 3 of a gradient boosting that says yes where x > 0."""
    import skops.io
    from sklearn.ensemble import HistGradientBoostingClassifier

    from pipelines.models.features import transform

    folder = tmp_path_factory.mktemp("model")
    hours = pd.date_range("2026-01-01", periods=400, freq="h").astype("datetime64[us]")
    frame = pd.DataFrame({"x": [math.sin(i) for i in range(400)], "zone": ["1", "2"] * 200, "at": hours})
    steps = fit_features(frame, TYPES)
    matrix = transform(steps, frame, TYPES)
    estimator = HistGradientBoostingClassifier(max_iter=20).fit(matrix, frame["x"] > 0)
    description = Description(
        kind="gradient_boosting",
        task="binary",
        target="busy",
        timestamp="at",
        types=TYPES,
        classes=["no", "yes"],
        bins=find_bins(matrix),
        cardinalities=[],
        model=Model(kind="gradient_boosting"),
    )
    folder.mkdir(parents=True, exist_ok=True)
    skops.io.dump(steps, folder.parent / FEATURES)
    begin_bundle(folder, description, folder.parent / FEATURES)
    skops.io.dump(estimator, folder / "estimator.skops")
    return ServedModel(pipeline="rides", version=3, folder=str(folder), files=hash_files(folder))


@dataclass
class Desk:
    """A home, and a file to score in it."""

    home: Home
    input: Path
    score: Callable[[str], scoring.ScoreResult]

    @property
    def log(self) -> pd.DataFrame:
        table = open_table(self.home.pipeline("rides").predictions)
        assert table is not None
        frame = table.to_pyarrow_dataset().to_table().to_pandas()
        assert isinstance(frame, pd.DataFrame)
        return frame


@pytest.fixture
def desk(tmp_path: Path, served: ServedModel) -> Desk:
    rows = [f"{'-' if i % 3 else ''}0,5;{1 + i % 2};{1 + i % 28}/02/2026 10:00;extra" for i in range(50)]
    file = tmp_path / "in.csv"
    file.write_text("\n".join(["x;zone;at;more", *rows, ";;;"]) + "\n")
    home = Home(tmp_path / "home")
    return Desk(home, file, lambda out: scoring.score_file(home, CONFIG, served, file, tmp_path / out))


@pytest.mark.parametrize("name", ["out.csv", "new folder/out.parquet"])
def test_each_row_is_answered_in_its_place(desk: Desk, name: str) -> None:
    result = desk.score(name)
    out = pd.read_csv(result.output) if name.endswith("csv") else pd.read_parquet(result.output)
    assert (result.rows, result.version) == (51, 3)
    assert list(out.columns) == ["prediction_id", "prediction", "p_no", "p_yes"]
    assert list(out["prediction"][:50]) == ["no" if i % 3 else "yes" for i in range(50)]
    assert ((out["p_no"] + out["p_yes"]) - 1).abs().max() < 1e-9
    assert [i.rsplit("-", 1)[1] for i in out["prediction_id"]] == [str(i) for i in range(51)]
    assert {path.name for path in Path(result.output).parent.iterdir()} <= {Path(name).name, "in.csv", "home"}


def test_columns_are_found_as_in_training(desk: Desk) -> None:
    expected = pd.read_csv(desk.score("out.csv").output)["prediction"]
    desk.input.write_text(desk.input.read_text().replace("x;zone;at;more", " X;Zone;at;more"))
    assert pd.read_csv(desk.score("again.csv").output)["prediction"].equals(expected)


def test_the_same_file_scored_twice_is_logged_once(desk: Desk) -> None:
    desk.score("out.csv")
    desk.score("again.csv")
    log = desk.log
    assert len(log) == 51
    assert log["_id"].is_unique
    assert set(log["_channel"]) == {"batch"}
    assert set(log["_version"]) == {3}
    first = log.set_index("_id").sort_values("_time").iloc[0]
    assert first["_time"] == pd.Timestamp("2026-02-01 10:00")  # day first
    assert (desk.input.parent / "out.csv").read_bytes() == (desk.input.parent / "again.csv").read_bytes()


def test_a_row_without_a_time_has_the_moment_of_scoring(desk: Desk) -> None:
    desk.score("out.csv")
    last = desk.log[lambda log: log["at"].isna()]
    assert len(last) == 1
    assert (last["_time"] == last["_scored_at"]).all()


def test_missing_columns_are_named_and_nothing_is_written(desk: Desk) -> None:
    desk.input.write_text("x;more\n1;2\n")
    with pytest.raises(DataError, match="missing 'zone', 'at'; it has x, more"):
        desk.score("out.csv")
    assert not (desk.input.parent / "out.csv").exists()
    assert not desk.home.root.exists()


@pytest.mark.parametrize("content", [b"", b"x;zone;at\n", b"PAR1", b"x;zone;at\n1;2\n"])
def test_a_file_that_cannot_be_used_is_a_data_error(desk: Desk, content: bytes) -> None:
    desk.input.write_bytes(content)
    with pytest.raises(DataError):
        desk.score("out.csv")


@pytest.mark.parametrize("name", ["out.xlsx", "out", "in.csv", "folder.csv", "in.csv/out.csv"])
def test_an_output_that_cannot_be_written_is_a_usage_error(desk: Desk, name: str) -> None:
    (desk.input.parent / "folder.csv").mkdir()
    with pytest.raises(UsageError):
        desk.score(name)
    assert desk.input.read_text().startswith("x;zone")


def test_without_the_log_there_is_no_output(desk: Desk) -> None:
    desk.home.root.write_text("a file where a folder should be")
    with pytest.raises(OSError, match="home"):
        desk.score("out.csv")
    assert sorted(path.name for path in desk.input.parent.iterdir()) == ["home", "in.csv"]


@dataclass
class Broken:
    """A model that answers its second row with NaN."""

    task: Task = "regression"
    features = inputs = ["x"]
    timestamp: str | None = None
    column_types = {"x": "number"}

    def predict(self, frame: pd.DataFrame) -> pd.DataFrame:
        return pd.DataFrame({"prediction": [1, math.nan, 3]}, index=frame.index)


def test_an_answer_that_is_no_number_names_its_row() -> None:
    with pytest.raises(EvergreenError, match="row 2"):
        scoring.score_frame(Broken(), pd.DataFrame({"x": [1.0, 2.0, 3.0]}, index=[5, 6, 7]), list("abc"))  # type: ignore[arg-type]


def test_the_log_has_the_same_columns_whether_or_not_the_timestamp_was_sent() -> None:
    bundle, scores = Broken(timestamp="at"), pd.DataFrame({"prediction_id": ["a"], "prediction": [1.0]})
    now = datetime(2026, 5, 1)
    sent = pd.DataFrame({"x": [1.0], "at": [datetime(2026, 4, 1)]}).astype({"at": "datetime64[us]"})
    logs = [
        scoring.log_rows(bundle, frame, scores, 1, "online", now)  # type: ignore[arg-type]
        for frame in (sent, sent.drop(columns="at"))
    ]
    assert logs[0].dtypes.equals(logs[1].dtypes)
    assert [log["_time"][0] for log in logs] == [pd.Timestamp("2026-04-01"), pd.Timestamp(now)]
