"""A real MLflow store in SQLite: one run and one version an attempt, and what was logged is fetched."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pytest

from pipelines.clock import now
from pipelines.environment import variable
from pipelines.errors import ModelUnusable
from pipelines.evaluation.evaluate import evaluate_model
from pipelines.gates import judge
from pipelines.home import Home
from pipelines.ledger import Ledger
from pipelines.models.bundle import load_bundle
from pipelines.promotion.champion import register_version as register_known
from pipelines.records import Comparison, Snapshot, TrainedModel
from pipelines.registry.aliases import champion_alias, has_version, point_aliases
from pipelines.registry.mlflow_dataset import snapshot_input
from pipelines.registry.mlflow_store import COMPLETE_TAG, connect, fetch_model, register_version
from pipelines.registry.run_log import log_attempt, log_report


class Logged:
    """An attempt in MLflow."""

    def __init__(self, done: Any) -> None:
        self.home, self.config, self.attempt, self.trained = (
            done.home,
            done.config,
            done.attempt,
            done.trained,
        )
        self.evaluation = evaluate_model(self.config, self.attempt, self.trained)
        self.verdicts = judge(self.evaluation, self.config.gates, now())
        told = {"metrics": {"auc": 0.7}, "champion_metrics": {"auc": 0.6}}
        compared = Comparison(champion_version=3, rows=60, left_out=20, **told)
        self.evaluation = self.evaluation.model_copy(update={"comparison": compared})
        self.run_id = self.log()

    def log(self) -> str:
        return log_attempt(self.config, self.home, self.trained, self.attempt, self.evaluation, self.verdicts)


@pytest.fixture(scope="module", autouse=True)
def store_of_the_home() -> Any:
    """Each home has its own store; the variable that names it goes back to what it was."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", "")
        yield


@pytest.fixture(scope="module")
def logged(
    tmp_path_factory: pytest.TempPathFactory, train: Any, define: Any, table: Any, empty_store: Path
) -> Logged:
    home = Home(tmp_path_factory.mktemp("a home"))
    home.mlflow.mkdir()
    shutil.copyfile(empty_store, home.mlflow / "mlflow.db")
    return Logged(train(home, define("binary", model={"kind": "gradient_boosting"}), table(400)))


def test_an_attempt_is_one_run_with_all_that_is_known_of_it(logged: Logged) -> None:
    judged, evaluation = logged.verdicts, logged.evaluation
    against = Comparison(champion_version=4, rows=50, metrics={"auc": 0.65}, champion_metrics={"auc": 0.5})
    later = evaluation.model_copy(update={"comparison": against})
    # Judged again against another champion: what it says is of the last judgment.
    for logged.verdicts, logged.evaluation in ((judged[:1], evaluation), (judged, later)):
        assert logged.log() == logged.run_id
    client = connect(logged.home)
    experiment = client.get_experiment_by_name("trips")
    [run] = client.search_runs([experiment.experiment_id])
    assert run.info.run_name == run.data.tags["evergreen.attempt"] == logged.attempt.id
    assert run.data.tags["evergreen.snapshot"] == "trips@0"
    assert run.data.params["model.kind"] == "gradient_boosting"
    assert run.data.params["target"] == "late"
    for name, value in logged.evaluation.metrics.items():
        assert run.data.metrics[f"test_{name}"] == pytest.approx(value)
    beside = [run.data.metrics[name] for name in ("challenger_auc", "champion_auc", "compared_rows")]
    assert beside == [0.65, 0.5, 50]
    files = {f.path for f in client.list_artifacts(logged.run_id)}
    assert {"gates.json", "evaluation.json"} <= files
    gates = json.loads(Path(client.download_artifacts(logged.run_id, "gates.json")).read_text())["gates"]
    assert [g["name"] for g in gates] == [v.name for v in judged]


def test_what_was_deleted_in_mlflow_fails_no_training(logged: Logged) -> None:
    """An experiment comes back; of an attempt whose run is gone there is another one, in full."""
    client = connect(logged.home)
    client.delete_experiment(client.get_experiment_by_name("trips").experiment_id)
    assert logged.log() == logged.run_id
    client.delete_run(logged.run_id)
    other = logged.log()
    assert (other != logged.run_id, client.get_run(other).data.tags[COMPLETE_TAG]) == (True, "yes")
    client.delete_run(other)
    client.restore_run(logged.run_id)
    assert logged.log() == logged.run_id


def test_the_run_has_the_page_of_the_last_judgment(logged: Logged, tmp_path: Path) -> None:
    page = tmp_path / "a-1.html"
    for words in ("first", "à la fin"):
        page.write_text(words, encoding="utf-8")
        log_report(logged.home, logged.run_id, page)
    kept = connect(logged.home).download_artifacts(logged.run_id, "report.html")
    assert Path(kept).read_text(encoding="utf-8") == "à la fin"


def test_the_snapshot_is_the_run_s_dataset(logged: Logged) -> None:
    """Which data, and where; none of the rows."""
    [given] = connect(logged.home).get_run(logged.run_id).inputs.dataset_inputs
    snapshot, dataset = logged.attempt.snapshot, given.dataset
    assert (dataset.name, dataset.digest) == ("trips", snapshot.fingerprint)
    assert {tag.key: tag.value for tag in given.tags} == {"mlflow.data.context": "training"}
    source = mlflow.data.get_source(dataset)
    assert (source.path, source.delta_table_version) == (snapshot.uri, snapshot.version)
    assert json.loads(dataset.profile) == {"num_rows": 400}
    columns = json.loads(dataset.schema)["mlflow_colspec"]
    assert {c["name"]: c["type"] for c in columns} == {
        "at": "datetime",
        "zone": "string",
        "distance": "double",
        "passengers": "double",
        "late": "string",
    }


def test_a_table_with_more_columns_than_mlflow_keeps_is_logged_without_them(
    define: Any, tmp_path: Path
) -> None:
    snapshot = Snapshot(pipeline="trips", uri="rows", version=0, rows=1, fingerprint="f" * 64)
    columns = {f"column {n} {'x' * 200}": {"type": "number"} for n in range(5000)}
    config = define(columns={**columns, "at": {"type": "time"}, "y": {"type": "number"}})
    client = connect(Home(tmp_path))
    run = client.create_run(client.create_experiment("wide"))
    client.log_inputs(run.info.run_id, [snapshot_input(config, snapshot)])
    [given] = client.get_run(run.info.run_id).inputs.dataset_inputs
    assert (given.dataset.digest, given.dataset.schema) == ("f" * 36, None)


def test_nothing_was_written_outside_the_home(logged: Logged) -> None:
    assert variable("MLFLOW_TRACKING_URI") == f"sqlite:///{logged.home.mlflow / 'mlflow.db'}"
    assert (logged.home.mlflow / "artifacts" / "trips").is_dir()


def aliases(client: mlflow.MlflowClient) -> dict[str, int]:
    """A database gives numbers, a server texts."""
    return {alias: int(version) for alias, version in client.get_registered_model("trips").aliases.items()}


def test_a_version_is_registered_once_and_becomes_champion_by_alias(logged: Logged) -> None:
    first = register_version(logged.home, logged.run_id, logged.attempt)
    assert register_version(logged.home, logged.run_id, logged.attempt) == first
    client = connect(logged.home)
    assert len(client.search_model_versions("name = 'trips'")) == 1
    assert aliases(client) == {"challenger": first.version}
    for _ in range(2):
        point_aliases(logged.home, "trips", first.version, None)
        assert aliases(client) == {"champion": first.version}
        assert champion_alias(logged.home, "trips") == first.version
    point_aliases(logged.home, "trips", None, None)
    assert (aliases(client), champion_alias(logged.home, "trips")) == ({}, None)
    assert champion_alias(logged.home, "nobody") is None
    assert not has_version(logged.home, "trips", 99)
    with pytest.raises(ModelUnusable, match="Version 99 of trips is deleted"):
        point_aliases(logged.home, "trips", 99, None)


def test_a_model_deleted_whole_counts_on_where_the_ledger_is(logged: Logged) -> None:
    ledger, client = Ledger.open(logged.home), connect(logged.home)
    for name, number in (("other-1", 1), ("other-2", 2), (logged.attempt.id, None)):
        ledger.start_attempt(logged.attempt.model_copy(update={"id": name}), {}, {})
        if number:
            ledger.record_version(name, logged.trained, number)
    register_version(logged.home, logged.run_id, logged.attempt)
    client.delete_registered_model("trips")
    for _ in range(2):
        again = register_known(logged.home, logged.run_id, logged.attempt, logged.trained)
        assert (again.version, aliases(client)) == (3, {"challenger": 3})
    assert ledger.trained("trips", 3) == logged.trained
    client.delete_registered_model("trips")


def test_two_versions_and_their_aliases(logged: Logged) -> None:
    one = register_version(logged.home, logged.run_id, logged.attempt).version
    attempt = logged.attempt.model_copy(update={"id": "trips-other"})
    found = logged.evaluation, logged.verdicts
    run = log_attempt(logged.config, logged.home, logged.trained, attempt, *found)
    version = register_version(logged.home, run, attempt)
    assert version.version == one + 1
    for champion, previous in ((version.version, one), (one, version.version)):
        point_aliases(logged.home, "trips", champion, previous)
        assert aliases(connect(logged.home)) == {"champion": champion, "previous": previous}


def test_mlflow_s_own_way_to_load_gives_the_same_answers(logged: Logged, table: Any) -> None:
    version = register_version(logged.home, logged.run_id, logged.attempt).version
    bundle = load_bundle(Path(logged.trained.folder), logged.trained.files)
    model = mlflow.pyfunc.load_model(f"models:/trips/{version}")
    rows = table(30, seed=3)[bundle.inputs]
    answers, expected = model.predict(rows), bundle.predict(rows)
    assert list(answers["prediction"]) == list(expected["prediction"])
    np.testing.assert_allclose(answers["p_yes"], expected["p_yes"])
    assert model.metadata.signature.inputs.input_names() == bundle.inputs
    with pytest.raises(mlflow.exceptions.MlflowException, match="distance"):
        model.predict(rows.drop(columns="distance"))


@pytest.fixture
def elsewhere(logged: Logged) -> TrainedModel:
    """The model as another host knows it: without its attempt's folder."""
    found: TrainedModel = logged.trained.model_copy(update={"folder": "/nowhere"})
    return found


def test_a_fetched_model_is_the_one_that_was_trained(logged: Logged, elsewhere: TrainedModel) -> None:
    version = register_version(logged.home, logged.run_id, logged.attempt).version
    for known in (elsewhere, logged.trained):
        served = fetch_model(logged.home, "trips", version, known)
        assert served.folder == str(logged.home.pipeline("trips").models / str(version))
        load_bundle(Path(served.folder), served.files)
        (Path(served.folder) / "model.json").write_text("{}")  # a copy that was damaged is brought again
        assert fetch_model(logged.home, "trips", version, known) == served
        load_bundle(Path(served.folder), served.files)
        shutil.rmtree(served.folder)
    assert not list(logged.home.pipeline("trips").models.iterdir())


def test_a_file_changed_in_mlflow_is_refused(logged: Logged, elsewhere: TrainedModel) -> None:
    version = register_version(logged.home, logged.run_id, logged.attempt).version
    served = fetch_model(logged.home, "trips", version, elsewhere)
    kept = [  # of this run, and of the other one that has logged the same model
        path
        for path in (logged.home.mlflow / "artifacts").rglob("estimator.skops")
        if path.read_bytes() == (Path(logged.trained.folder) / "estimator.skops").read_bytes()
    ]
    content = kept[0].read_bytes()
    for path in kept:
        path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    fetch_model(logged.home, "trips", version, elsewhere)  # the verified copy serves on
    (Path(served.folder) / "estimator.skops").unlink()
    with pytest.raises(ModelUnusable, match=r"estimator.skops differ"):
        fetch_model(logged.home, "trips", version, elsewhere)
    with pytest.raises(ModelUnusable, match=r"estimator.skops differ"):
        mlflow.pyfunc.load_model(f"models:/trips/{version}")
    assert fetch_model(logged.home, "trips", version, logged.trained) == served  # its attempt still has it
    for path in kept:
        path.write_bytes(content)


def test_a_version_that_is_not_there(logged: Logged, elsewhere: TrainedModel) -> None:
    register_version(logged.home, logged.run_id, logged.attempt)
    with pytest.raises(ModelUnusable, match="does not hand out trips version 99"):
        fetch_model(logged.home, "trips", 99, elsewhere)
