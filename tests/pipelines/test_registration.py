"""A pipeline is named, or its file given."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from pipelines.errors import UsageError
from pipelines.home import Home
from pipelines.registration import open_pipeline


def test_a_folder_of_a_pipelines_name_does_not_hide_the_pipeline(
    tmp_path: Path, define: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    place, home = tmp_path / "trips", Home(tmp_path / "home")
    place.mkdir()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match="trips"):
        open_pipeline(home, "trips")
    words = define().model_dump(mode="json", exclude_unset=True)
    (place / "pipeline.yaml").write_text(yaml.safe_dump(words))
    assert open_pipeline(home, "trips/pipeline.yaml") == open_pipeline(home, "trips")
