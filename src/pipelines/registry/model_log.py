"""The model of a run: the bundle as MLflow's own kind of model, with signature and example."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.config import PipelineConfig
from pipelines.models.bundle import check_hashes, read_description
from pipelines.records import Attempt, TrainedModel
from pipelines.registry.mlflow_store import BUNDLE
from pipelines.training.folder import AttemptFolder

if TYPE_CHECKING:
    import pandas as pd


def log_model(config: PipelineConfig, attempt: Attempt, trained: TrainedModel) -> None:
    """The bundle as a pyfunc model from code: features and network as one, nothing pickled."""
    import mlflow
    from mlflow.models import infer_signature

    # MLflow copies everything it is given; the example comes from what evaluation kept for the smoke test.
    golden = AttemptFolder.of(attempt).golden
    inputs, outputs = example(golden, input_names(Path(trained.folder), trained.files))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # it asks for an example, and would predict with it
        mlflow.pyfunc.log_model(
            name="model",
            python_model=str(Path(__file__).parent / "pyfunc_model.py"),
            artifacts={BUNDLE: trained.folder},
            signature=infer_signature(inputs, outputs),
            pip_requirements=["evergreen"],
            metadata={"files": json.dumps(trained.files), "pipeline": config.pipeline},
        )


def input_names(folder: Path, files: dict[str, str]) -> list[str]:
    """The columns that a caller must send, without loading the model, which takes seconds."""
    check_hashes(folder, files)
    return list(read_description(folder).types)


def example(golden: Path, inputs: list[str]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """A few rows with their answers, as the smoke test left them."""
    import pandas as pd

    rows = pd.read_parquet(golden / "rows.parquet")[inputs]
    texts = rows.select_dtypes(exclude=["number", "datetime"]).columns
    filled = rows.astype(dict.fromkeys(texts, object))
    filled = filled.where(rows.notna(), None)  # type: ignore[call-overload]  # pandas-stubs know no None here
    return filled.astype(rows.select_dtypes("number").dtypes), pd.read_parquet(golden / "expected.parquet")
