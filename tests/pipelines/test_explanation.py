"""One logged prediction as a sum over its columns, by the version that gave it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from pipelines.data.predictions.prediction_log import append_predictions
from pipelines.errors import DataError, ModelUnusable, UsageError
from pipelines.explanation import explain_prediction
from pipelines.home import Home
from pipelines.ledger import Ledger
from pipelines.models.bundle import Bundle, load_bundle


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory, train: Any, define: Any, trips: Any) -> Any:
    """Version 1 of a linear model of two classes; it gave two predictions."""
    home = Home(tmp_path_factory.mktemp("home"))
    made = train(home, define("binary", model="linear", split={"by": "random"}), trips(300))
    ledger = Ledger.open(home)
    ledger.start_attempt(made.attempt, {}, {})
    ledger.record_version(made.attempt.id, made.trained, 1)
    folder = Path(made.trained.folder).parent / "smoke"
    folder.mkdir()
    trips(20, seed=2).to_parquet(folder / "rows.parquet")
    inputs = trips(2, seed=4)[["at", "zone", "distance", "passengers"]]
    inputs.loc[1, ["zone", "distance"]] = None
    own = {"_id": ["p-1", "p-2"], "_time": inputs["at"], "_version": 1, "_channel": "online"}
    frame = inputs.assign(
        **own, _scored_at=pd.Timestamp("2026-01-01"), _prediction="yes", _p_yes=0.5, _p_no=0.5
    )
    append_predictions(home, "trips", frame)
    return made


@pytest.mark.parametrize(("prediction", "number"), [("p-1", 0), ("p-2", 1)])
def test_contributions_sum_to_the_answer(done: Any, trips: Any, prediction: str, number: int) -> None:
    found = explain_prediction(done.home, "trips", prediction)
    assert (found.output, found.version) == ("p_yes", 1)
    assert found.base + sum(one.contribution for one in found.contributions) == pytest.approx(found.answer)
    sizes = [abs(one.contribution) for one in found.contributions]
    assert sizes == sorted(sizes, reverse=True)
    assert {one.column for one in found.contributions} == {"at", "zone", "distance", "passengers"}
    rows = trips(2, seed=4)
    rows.loc[1, ["zone", "distance"]] = None
    bundle: Bundle = load_bundle(Path(done.trained.folder), done.trained.files)
    assert found.answer == pytest.approx(bundle.predict(rows)["p_yes"].iloc[number])
    values = {one.column: one.value for one in found.contributions}
    assert (values["distance"] is None) == (number == 1)


def test_what_cannot_be_explained_is_said(done: Any) -> None:
    with pytest.raises(UsageError, match="No prediction 'p-9' of trips was logged"):
        explain_prediction(done.home, "trips", "p-9")
    golden = Path(done.trained.folder).parent / "smoke" / "rows.parquet"
    golden.rename(golden.with_suffix(".away"))
    with pytest.raises(DataError, match="is gone"):
        explain_prediction(done.home, "trips", "p-1")
    golden.with_suffix(".away").rename(golden)
    weights = Path(done.trained.folder) / "estimator.skops"
    weights.write_bytes(weights.read_bytes() + b"x")
    with pytest.raises(ModelUnusable, match=r"estimator\.skops differ"):
        explain_prediction(done.home, "trips", "p-1")
