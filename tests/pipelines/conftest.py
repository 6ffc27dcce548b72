"""A small seeded table with numbers, categories, a time and gaps, its definition, and its snapshot."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from pipelines.config import PipelineConfig
from pipelines.data.storage.snapshots import current_snapshot
from pipelines.data.storage.tables import write_rows
from pipelines.environment import set_environment
from pipelines.home import Home
from pipelines.records import Attempt, Snapshot, TrainedModel
from pipelines.training.attempts import plan_attempt
from pipelines.training.driver import run
from pipelines.training.folder import AttemptFolder

# As in the driver: spinning OpenMP threads make scikit-learn and torch crawl beside any other busy process.
set_environment({"OMP_WAIT_POLICY": "passive"})

Define = Callable[..., PipelineConfig]
Keep = Callable[[pd.DataFrame, Home], Snapshot]


def trips(rows: int = 600, seed: int = 1) -> pd.DataFrame:
    """`y` follows `distance`, `zone` and the hour; `late` and `band` are classes of it."""
    rng = np.random.default_rng(seed)
    at = pd.Timestamp("2025-01-01") + pd.to_timedelta(np.arange(rows), unit="h")
    zone = rng.choice(["north", "south", "east"], rows)
    distance = rng.gamma(2.0, 3.0, rows)
    y = 3.0 * distance + 5.0 * (zone == "south") + 2.0 * (at.hour > 12) + rng.normal(0, 1, rows)
    return pd.DataFrame(
        {
            "at": at.astype("datetime64[us]"),
            "zone": pd.Series(zone, dtype=object).where(rng.random(rows) > 0.05, None),
            "distance": np.where(rng.random(rows) > 0.05, distance, np.nan),
            "passengers": rng.integers(1, 5, rows).astype(float),
            "y": y,
            "late": np.where(y > np.median(y), "yes", "no").astype(object),
            "band": np.array(["low", "mid", "top"], dtype=object)[
                np.searchsorted(np.quantile(y, [0.3, 0.7]), y)
            ],
        }
    )


TARGETS = {"regression": ("y", "rmse"), "binary": ("late", "auc"), "multiclass": ("band", "log_loss")}
TYPES = {"at": "time", "zone": "category", "distance": "number", "passengers": "number"}


def definition(task: str = "regression", **changed: Any) -> PipelineConfig:
    """The definition of the trips for a task; `changed` are its sections."""
    target, metric = TARGETS[task]
    kind = "number" if task == "regression" else "category"
    plain = {
        "pipeline": "trips",
        "task": task,
        "metric": metric,
        "data": {"source": "trips.csv", "target": target, "timestamp": "at"},
        "columns": {name: {"type": t} for name, t in {**TYPES, target: kind}.items()},
        "split": {"by": "time"},
        "model": {"kind": "mlp", "width": 16},
        "training": {"epochs": 5, "batch_size": 64},
    }
    return PipelineConfig.model_validate(plain | changed)


def keep_rows(frame: pd.DataFrame, home: Home) -> Snapshot:
    """The frame as the snapshot that ingestion would have made of it."""
    import pyarrow as pa

    hashes = pd.util.hash_pandas_object(frame, index=False).to_numpy().astype("int64")
    table = pa.Table.from_pandas(frame.assign(_row=hashes, _seq=np.arange(len(frame))), preserve_index=False)
    write_rows(home.pipeline("trips").rows, table, "overwrite")
    snapshot = current_snapshot(home, "trips")
    assert snapshot is not None
    return snapshot


@pytest.fixture(scope="session")
def table() -> Callable[..., pd.DataFrame]:
    return trips


@pytest.fixture(scope="session", name="trips")
def same_table() -> Callable[..., pd.DataFrame]:
    """`table`, where a folder's own conftest calls something else so."""
    return trips


@pytest.fixture(scope="session")
def define() -> Define:
    return definition


@pytest.fixture(scope="session")
def keep() -> Keep:
    return keep_rows


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "home")


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """MLflow's database without anything in it, to be copied: its tables take seconds to make."""
    from pipelines.registry.mlflow_store import connect

    home = Home(tmp_path_factory.mktemp("store"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", "")  # what `connect` sets is taken back
        connect(home).search_registered_models()
    return home.mlflow / "mlflow.db"


@dataclass(frozen=True)
class Trained:
    """A finished attempt of a home of its own."""

    home: Home
    config: PipelineConfig
    attempt: Attempt
    trained: TrainedModel


def train_here(home: Home, config: PipelineConfig, frame: pd.DataFrame) -> Trained:
    """Train in this process; gradient boosting, unless the definition says otherwise."""
    attempt = plan_attempt(config, home, keep_rows(frame, home), None)
    folder = Path(attempt.folder)
    folder.mkdir(parents=True)
    spec = {"config": config.model_dump(mode="json"), "attempt": attempt.model_dump()}
    (folder / "spec.json").write_text(json.dumps(spec))
    assert run(AttemptFolder(folder)) == 0
    return Trained(
        home, config, attempt, TrainedModel.model_validate_json((folder / "result.json").read_text())
    )


@pytest.fixture(scope="session")
def train() -> Callable[[Home, PipelineConfig, pd.DataFrame], Trained]:
    return train_here
