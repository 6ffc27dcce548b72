"""A home with a real ledger and a real MLflow store."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipelines.home import Home
from pipelines.ledger import Ledger
from tests.pipelines.promotion.versions import CONFIG, NAME, running_service


@pytest.fixture
def home(tmp_path: Path, empty_store: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    for name in ("MLFLOW_TRACKING_URI", "EVERGREEN_SERVING_URL"):
        monkeypatch.setenv(name, "")  # what is set there is taken back
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
