"""How MLflow runs a bundle: models-from-code, so nothing is pickled, nothing runs before hashes agree."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import mlflow
import pandas as pd  # MLflow reads the annotation of `predict`, and warns where it cannot
from mlflow.pyfunc import PythonModel

from pipelines.models.bundle import load_bundle


class EvergreenModel(PythonModel):  # type: ignore[misc]
    """Features and model as one."""

    def load_context(self, context: Any) -> None:
        folder = Path(context.artifacts["bundle"])
        self.bundle = load_bundle(folder, recorded_files(folder))

    def predict(
        self, context: Any, model_input: pd.DataFrame, params: dict[str, Any] | None = None
    ) -> pd.DataFrame:
        return self.bundle.predict(model_input)


def recorded_files(bundle: Path) -> dict[str, str]:
    """The hashes written into the MLflow model's own metadata when it was logged."""
    model = mlflow.models.Model.load(str(bundle.parent.parent))
    files: dict[str, str] = json.loads(model.metadata["files"])
    return files


mlflow.models.set_model(EvergreenModel())
