"""Measures a challenger on held-back rows: against the champion there, and against a trivial baseline."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.config import PipelineConfig
from pipelines.environment import child_environment
from pipelines.errors import EvergreenError
from pipelines.evaluation.comparing import Measured, compare_all, finite, measure_models
from pipelines.evaluation.learnt import find_learnt
from pipelines.evaluation.own import compare_own
from pipelines.evaluation.resampling import Resamples
from pipelines.models.bundle import Bundle, load_bundle
from pipelines.partition import Partition, partition_snapshot
from pipelines.records import (
    Attempt,
    Baseline,
    Champion,
    Comparison,
    Evaluation,
    NoComparison,
    TrainedModel,
)
from pipelines.splitting import FEWEST

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

CHALLENGER = "challenger"
SMOKE_ROWS = 20
SMOKE_SECONDS = 120


def evaluate_model(
    config: PipelineConfig, attempt: Attempt, trained: TrainedModel, champion: Champion | None = None
) -> Evaluation:
    """Measure a trained model on the test part of its snapshot.

    A champion that does not load or cannot read the rows is compared with nothing, and that is said.
    """
    rows = partition_snapshot(attempt.snapshot, config)
    predictions = predict_test(load_bundle(Path(trained.folder), trained.files), rows)
    first = next(rows.pieces("test")).head(SMOKE_ROWS)
    with ThreadPoolExecutor(1) as beside:  # a clean process takes seconds to import what it needs
        smoke = beside.submit(smoke_test, trained, first, predictions.head(len(first)))
        baselines = predict_trivially(config, rows)
        measured = measure_answers(config, rows, {CHALLENGER: predictions, **baselines})
        compared = compare_with_champion(config, rows, predictions, champion)
        return Evaluation(
            attempt=attempt.id,
            task=config.task,
            metric=config.metric,
            rows=len(predictions),
            metrics=measured.metrics[CHALLENGER],
            intervals=measured.intervals[CHALLENGER],
            baselines=[
                Baseline(name=name, metrics=measured.metrics[name], differences=measured.differences[name])
                for name in baselines
            ],
            comparison=compared if isinstance(compared, Comparison) else None,
            no_comparison=compared if isinstance(compared, NoComparison) else None,
            smoke_failure=smoke.result(),
        )


def measure_answers(
    config: PipelineConfig,
    rows: Partition,
    answers: dict[str, pd.DataFrame],
    kept: NDArray[np.bool_] | None = None,
) -> Measured:
    """Every metric of the task and the user's own, of the models' answers to the test rows, or to those kept.

    A model whose answers are not all finite numbers has none.
    """
    import numpy as np

    kept = np.ones(rows.count("test"), dtype=np.bool_) if kept is None else kept
    answers = {name: frame[kept] for name, frame in answers.items()}
    target = rows.table("test", columns=[config.data.target])[config.data.target][kept]
    resamples = Resamples(len(target))
    good = {name: frame for name, frame in answers.items() if finite(frame)}
    found = chain(
        compare_all(config.task, target, good, resamples), compare_own(config, rows, kept, good, resamples)
    )
    return measure_models(answers, found)


def predict_test(bundle: Bundle, rows: Partition) -> pd.DataFrame:
    """The model's predictions for the test part, made piece by piece: its rows may not fit into memory."""
    import pandas as pd

    return pd.concat(bundle.predict(piece) for piece in rows.pieces("test"))


def predict_trivially(config: PipelineConfig, rows: Partition) -> dict[str, pd.DataFrame]:
    """What needs no model, by name: the training part's mean, or share of each class, for each test row."""
    learnt = rows.table("train", columns=[config.data.target])[config.data.target]
    name, answers = trivial_predictions(config, learnt, rows.count("test"))
    return {name: answers}


def trivial_predictions(config: PipelineConfig, learnt: pd.Series, count: int) -> tuple[str, pd.DataFrame]:
    import pandas as pd

    if config.task == "regression":
        return "training mean", pd.DataFrame({"prediction": float(learnt.mean())}, index=range(count))
    shares = learnt.value_counts(normalize=True).sort_index()
    columns = {"prediction": shares.idxmax()} | {f"p_{name}": share for name, share in shares.items()}
    return "most frequent class", pd.DataFrame(columns, index=range(count))


def compare_with_champion(
    config: PipelineConfig, rows: Partition, predictions: pd.DataFrame, champion: Champion | None
) -> Comparison | NoComparison | None:
    """The champion on the same rows, or why it cannot answer them; None where there is no champion yet.

    Rows that it learnt from are left out.
    """
    if champion is None:
        return None
    try:
        theirs = predict_test(load_bundle(Path(champion.folder), champion.files), rows)
    except (MemoryError, OSError):  # of the machine, not of the champion
        raise
    except Exception as error:  # noqa: BLE001  (an old model under new packages may raise anything)
        reason = error.message if isinstance(error, EvergreenError) else f"{type(error).__name__}: {error}"
        return NoComparison(champion_version=champion.version, reason=reason)
    learnt = find_learnt(rows, config, champion)
    kept = int((~learnt).sum())
    found = Comparison(champion_version=champion.version, rows=kept, left_out=len(learnt) - kept)
    if kept < FEWEST:
        return found
    measured = measure_answers(config, rows, {CHALLENGER: predictions, "champion": theirs}, ~learnt)
    return found.model_copy(
        update={
            "metrics": measured.metrics[CHALLENGER],
            "champion_metrics": measured.metrics["champion"],
            "differences": measured.differences["champion"],
        }
    )


def smoke_test(trained: TrainedModel, rows: pd.DataFrame, expected: pd.DataFrame) -> str | None:
    """What went wrong when a clean process loads the model and answers questions of known answer, or None."""
    folder = Path(trained.folder).parent / "smoke"
    folder.mkdir(exist_ok=True)
    rows.to_parquet(folder / "rows.parquet")
    expected.to_parquet(folder / "expected.parquet")
    (folder / "trained.json").write_text(trained.model_dump_json())
    command = [sys.executable, "-m", "pipelines.evaluation.smoke", str(folder)]
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            timeout=SMOKE_SECONDS,
            check=False,
            env=child_environment(),
        )
    except subprocess.TimeoutExpired:
        return f"The model did not load and answer within {SMOKE_SECONDS} s in a clean process."
    return (
        None if done.returncode == 0 else f"In a clean process: {(done.stderr or done.stdout).strip()[-500:]}"
    )
