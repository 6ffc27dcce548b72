"""A home with a real ledger and a real MLflow store; the store's tables are made once."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipelines.home import Home
from pipelines.ledger import Ledger
from pipelines.registry.mlflow_store import connect
from tests.pipelines.promotion.versions import CONFIG, NAME, running_service


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = Home(tmp_path_factory.mktemp("store"))
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        connect(home).search_registered_models()
    return home.mlflow / "mlflow.db"


@pytest.fixture
def home(tmp_path: Path, empty_store: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    for name in ("MLFLOW_TRACKING_URI", "EVERGREEN_SERVING_URL"):
        monkeypatch.delenv(name, raising=False)
    found = Home(tmp_path / "home")
    found.mlflow.mkdir(parents=True)
    shutil.copyfile(empty_store, found.mlflow / "mlflow.db")
    (tmp_path / "pipeline.yaml").write_text(CONFIG.model_dump_json(exclude={"folder"}))
    Ledger.open(found).name_pipeline(NAME, tmp_path / "pipeline.yaml")
    return found


@pytest.fixture
def service(home: Home, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A prediction service that runs."""
    with running_service(home) as url:
        monkeypatch.setenv("EVERGREEN_SERVING_URL", url)
        yield url
