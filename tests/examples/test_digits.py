"""Rows that are no table: images by the user's own features, network and loss, to the registry and back."""

from __future__ import annotations

import base64
import shutil
from pathlib import Path
from typing import NamedTuple

import pandas as pd
import pytest
import yaml

from examples.digits import generate
from pipelines.clock import now
from pipelines.config import PipelineConfig
from pipelines.data.ingestion.batches import stage_batch
from pipelines.data.storage.snapshots import accept_batch
from pipelines.evaluation.evaluate import evaluate_model
from pipelines.gates import judge, overall
from pipelines.home import Home
from pipelines.ledger import Ledger
from pipelines.models.bundle import load_bundle
from pipelines.records import Attempt, Evaluation, ServedModel, TrainedModel, TrainOutcome
from pipelines.registration import open_pipeline
from pipelines.registry import mlflow_store, run_log
from pipelines.reproduction import compare_versions, read_version, train_again
from pipelines.scoring import score_file
from pipelines.serving.switching import Switchboard
from pipelines.training.attempts import fit_model, plan_attempt
from pipelines.training.provenance import describe_environment
from pipelines.validation.batch import validate_batch

EXAMPLE = Path(__file__).parents[2] / "examples" / "digits"


class Made(NamedTuple):
    home: Home
    config: PipelineConfig
    attempt: Attempt
    trained: TrainedModel
    evaluation: Evaluation


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """The example, generated, taken in, trained with fewer epochs by a process of its own, and judged."""
    folder = tmp_path_factory.mktemp("digits")
    home = Home(folder / "home")
    shutil.copy(EXAMPLE / "model.py", folder)
    words = yaml.safe_load((EXAMPLE / "pipeline.yaml").read_text())
    words["training"] |= {"epochs": 6, "refit": False}
    words["gates"] |= {"champion": {"margin": "10%"}}  # so short a training may do worse than a linear model
    (folder / "pipeline.yaml").write_text(yaml.safe_dump(words))
    generate.generate(folder)
    config = open_pipeline(home, str(folder / "pipeline.yaml"))
    batch = stage_batch(config, home, [])
    snapshot = accept_batch(home, batch, validate_batch(config, home, batch))
    attempt = plan_attempt(config, home, snapshot, None)
    trained = fit_model(config, attempt)
    return Made(home, config, attempt, trained, evaluate_model(config, attempt, trained))


@pytest.fixture(scope="module")
def served(made: Made) -> ServedModel:
    """Version 1, in MLflow and in the ledger, fetched back from MLflow."""
    home, config, attempt, trained, evaluation = made
    ledger = Ledger.open(home)
    ledger.start_attempt(attempt, config.model_dump(mode="json"), describe_environment())
    verdicts = judge(evaluation, config.gates, now())
    run = run_log.log_attempt(config, home, trained, attempt, evaluation, verdicts)
    version = mlflow_store.register_version(home, run, attempt).version
    ledger.record_version(attempt.id, trained, version)
    ledger.finish_attempt(
        TrainOutcome(status="promoted", pipeline="digits", attempt=attempt.id, metrics=evaluation.metrics)
    )
    return mlflow_store.fetch_model(home, "digits", version, trained)


def test_the_gates_let_it_in(made: Made) -> None:
    assert made.evaluation.smoke_failure is None
    assert made.evaluation.metrics["accuracy"] > 0.95
    assert overall(judge(made.evaluation, made.config.gates, now())) == "pass"


def test_a_file_is_scored(made: Made, served: ServedModel) -> None:
    folder = made.config.folder
    score_file(made.home, made.config, served, folder / "score.csv", folder / "scored.csv")
    found, truth = pd.read_csv(folder / "scored.csv"), pd.read_csv(folder / "truth.csv")
    assert (found["prediction"] == truth["digit"]).mean() > 0.8  # written by other people


def test_the_service_loads_and_answers(made: Made, served: ServedModel) -> None:
    live = Switchboard(lambda: [served], load_bundle, 1.0).prepare(served)
    frame = live.schema.frame(live.schema.parse([{"image": base64.b64encode(bytes(64)).decode()}]))
    assert live.bundle.predict(frame)["prediction"][0] in set("0123456789")


def test_mlflow_runs_it(made: Made, served: ServedModel) -> None:
    import mlflow

    mlflow_store.connect(made.home)
    rows = pd.read_csv(made.config.folder / "score.csv").head(5)
    model = mlflow.pyfunc.load_model(f"models:/digits/{served.version}")
    expected = load_bundle(Path(served.folder), served.files).predict(rows)
    pd.testing.assert_frame_equal(model.predict(rows), expected)


def test_it_is_made_again_by_the_code_that_it_brought(made: Made, served: ServedModel) -> None:
    (made.config.folder / "model.py").write_text("raise RuntimeError('changed since')\n")
    recorded = read_version(made.home, "digits", served.version)
    found = compare_versions(made.home, recorded, train_again(made.home, recorded))
    assert found.agrees
    assert found.weights.files["code/model.py"].equal
    assert found.environment.keys() <= {"commit"}  # which other work on the checkout moves
