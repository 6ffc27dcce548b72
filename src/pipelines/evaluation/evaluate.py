"""Measures a challenger on held-back rows: against the champion there, and against a trivial baseline."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.config import PipelineConfig
from pipelines.environment import child_environment
from pipelines.errors import EvergreenError
from pipelines.evaluation.learnt import find_learnt
from pipelines.evaluation.metrics import higher_is_better, score_all, score_metric
from pipelines.models.bundle import Bundle, load_bundle
from pipelines.partition import Partition, partition_snapshot
from pipelines.records import (
    Attempt,
    Champion,
    Comparison,
    Evaluation,
    Interval,
    NoComparison,
    TrainedModel,
)
from pipelines.splitting import FEWEST

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

DRAWS = 400  # bootstrap resamples: the ends of a 95 % interval then stand on 10 draws each
SMOKE_ROWS = 20
SMOKE_SECONDS = 120


def evaluate_model(
    config: PipelineConfig, attempt: Attempt, trained: TrainedModel, champion: Champion | None = None
) -> Evaluation:
    """Measure a trained model on the test part of its snapshot.

    A champion that does not load or cannot read the rows is compared with nothing, and that is said.
    """
    rows = partition_snapshot(attempt.snapshot, config)
    learnt, target = (
        rows.table(part, columns=[config.data.target])[config.data.target] for part in ("train", "test")
    )
    predictions = predict_test(load_bundle(Path(trained.folder), trained.files), rows)
    baseline_name, baseline = trivial_predictions(config, learnt, target)
    compare = Paired(config.metric, target)
    first = next(rows.pieces("test")).head(SMOKE_ROWS)
    with ThreadPoolExecutor(1) as beside:  # a clean process takes seconds to import what it needs
        smoke = beside.submit(smoke_test, trained, first, predictions.head(len(first)))
        compared = compare_with_champion(config, compare, rows, predictions, champion)
        return Evaluation(
            attempt=attempt.id,
            task=config.task,
            metric=config.metric,
            rows=len(target),
            metrics=score_all(config.task, target, predictions),
            interval=compare.interval(predictions),
            baseline=baseline_name,
            baseline_metrics=score_all(config.task, target, baseline),
            baseline_difference=compare.difference(predictions, baseline),
            comparison=compared if isinstance(compared, Comparison) else None,
            no_comparison=compared if isinstance(compared, NoComparison) else None,
            smoke_failure=smoke.result(),
        )


def predict_test(bundle: Bundle, rows: Partition) -> pd.DataFrame:
    """The model's predictions for the test part, made piece by piece: its rows may not fit into memory."""
    import pandas as pd

    return pd.concat(bundle.predict(piece) for piece in rows.pieces("test"))


class Paired:
    """The same seeded bootstrap resamples of the test rows for each question, so that answers compare."""

    def __init__(self, metric: str, target: pd.Series, draws: int = DRAWS, seed: int = 0) -> None:
        self.metric, self.target = metric, target.reset_index(drop=True)
        self.draws, self.seed = draws, seed
        self._kept: dict[int, tuple[pd.DataFrame, NDArray[np.float64]]] = {}

    def interval(self, predictions: pd.DataFrame) -> Interval:
        """The metric with its 95 % interval."""
        return self._interval(self._scores(predictions))

    def difference(self, challenger: pd.DataFrame, other: pd.DataFrame) -> Interval:
        """By how much the challenger is better than the other, in the metric's unit."""
        sign = 1 if higher_is_better(self.metric) else -1
        return self._interval(sign * (self._scores(challenger) - self._scores(other)))

    def _scores(self, predictions: pd.DataFrame) -> NDArray[np.float64]:
        """The metric on all rows, then on each resample; kept, since the challenger is asked about again."""
        import numpy as np

        if id(predictions) not in self._kept:
            scores = [
                score_metric(self.metric, self.target.iloc[r], predictions.iloc[r]) for r in self._rows()
            ]
            self._kept[id(predictions)] = (predictions, np.array(scores))
        return self._kept[id(predictions)][1]

    def _rows(self) -> Iterator[NDArray[np.integer[Any]]]:
        """All rows, then each resample, drawn when it is used: all of many rows would fill the memory."""
        import numpy as np

        count, random = len(self.target), np.random.default_rng(self.seed)
        yield np.arange(count)
        for _ in range(self.draws):
            yield random.integers(0, count, count, dtype=np.int32)

    def _interval(self, scores: NDArray[np.float64]) -> Interval:
        import numpy as np

        low, high = np.nanquantile(scores[1:], [0.025, 0.975])
        return Interval(value=float(scores[0]), low=float(low), high=float(high))


def trivial_predictions(
    config: PipelineConfig, learnt: pd.Series, test: pd.Series
) -> tuple[str, pd.DataFrame]:
    """What needs no model, from the targets of both parts: the training mean, or the share of each class."""
    import pandas as pd

    if config.task == "regression":
        return "training mean", pd.DataFrame({"prediction": float(learnt.mean())}, index=test.index)
    shares = learnt.value_counts(normalize=True).sort_index()
    columns = {"prediction": shares.idxmax()} | {f"p_{name}": share for name, share in shares.items()}
    return "most frequent class", pd.DataFrame(columns, index=test.index)


def compare_with_champion(
    config: PipelineConfig,
    compare: Paired,
    rows: Partition,
    predictions: pd.DataFrame,
    champion: Champion | None,
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
    if not learnt.any():
        return Comparison(
            champion_version=champion.version,
            champion_metrics=score_all(config.task, compare.target, theirs),
            difference=compare.difference(predictions, theirs),
        )
    target, ours, theirs = compare.target[~learnt], predictions[~learnt], theirs[~learnt]
    enough = len(target) >= FEWEST
    return Comparison(
        champion_version=champion.version,
        champion_metrics=score_all(config.task, target, theirs) if enough else {},
        difference=Paired(config.metric, target).difference(ours, theirs) if enough else None,
        left_out=int(learnt.sum()),
        metrics=score_all(config.task, target, ours) if enough else {},
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
