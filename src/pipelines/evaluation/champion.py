"""The champion on the test rows that it has not learnt from, and what it differs in."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.config import PipelineConfig
from pipelines.errors import EvergreenError
from pipelines.evaluation.answers import CHALLENGER, measure_answers, predict_test
from pipelines.evaluation.learnt import find_learnt
from pipelines.models.bundle import is_intact, load_bundle, read_description
from pipelines.partition import Partition
from pipelines.records import Champion, Comparison, NoComparison, TrainedModel
from pipelines.splitting import FEWEST

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Opponent:
    """The champion's answers to all test rows, and which of those (n,) it has not learnt from."""

    version: int
    answers: pd.DataFrame
    fresh: NDArray[np.bool_]

    def on(self, places: NDArray[np.int64]) -> Opponent:
        """Of some of the test rows, with the index 0, 1, …"""
        return Opponent(self.version, self.answers.iloc[places].reset_index(drop=True), self.fresh[places])


def ask_champion(
    config: PipelineConfig, rows: Partition, champion: Champion | None
) -> Opponent | NoComparison | None:
    """The champion on the same rows, or why it cannot answer them; None where there is no champion yet."""
    if champion is None:
        return None
    try:
        bundle = load_bundle(Path(champion.folder), champion.files)
        if (bundle.task, bundle.description.target) != (config.task, config.data.target):
            asked = f"a {config.task} of {config.data.target!r} is asked for"
            reason = f"it is a {bundle.task} of {bundle.description.target!r}, and {asked}"
            return NoComparison(champion_version=champion.version, reason=reason)
        answers = predict_test(bundle, rows)
    except (MemoryError, OSError):  # of the machine, not of the champion
        raise
    except Exception as error:  # noqa: BLE001  (an old model under new packages may raise anything)
        reason = error.message if isinstance(error, EvergreenError) else f"{type(error).__name__}: {error}"
        return NoComparison(champion_version=champion.version, reason=reason)
    return Opponent(champion.version, answers, ~find_learnt(rows, config, champion))


def compare_with_champion(
    config: PipelineConfig, rows: Partition, predictions: pd.DataFrame, opponent: Opponent
) -> Comparison:
    """Every metric of both on the rows that the champion has not learnt from, where these are enough."""
    kept = int(opponent.fresh.sum())
    left_out = len(opponent.fresh) - kept
    found = Comparison(champion_version=opponent.version, rows=kept, left_out=left_out)
    if kept < FEWEST:
        return found
    answers = {CHALLENGER: predictions, "champion": opponent.answers}
    measured = measure_answers(config, rows, answers, opponent.fresh)
    return found.model_copy(
        update={
            "metrics": measured.metrics[CHALLENGER],
            "champion_metrics": measured.metrics["champion"],
            "differences": measured.differences["champion"],
        }
    )


def signature_changes(trained: TrainedModel, champion: Champion | None) -> dict[str, str] | None:
    """Columns that callers must send, or are answered, otherwise than by the champion; in words.

    None where there is no champion whose files are those recorded.
    """
    if champion is None or not is_intact(Path(champion.folder), champion.files):
        return None
    now, before = (signature(Path(folder)) for folder in (trained.folder, champion.folder))
    return {
        name: f"new: {now[name]}"
        if name not in before
        else f"gone; it was {before[name]}"
        if name not in now
        else f"{now[name]}; it was {before[name]}"
        for name in sorted(now.keys() | before.keys())
        if now.get(name) != before.get(name)
    }


def signature(folder: Path) -> dict[str, str]:
    """Input columns by type, and what is answered."""
    found = read_description(folder)
    answers = [f"p_{name}" for name in found.classes] + [f"q_{q:g}" for q in found.model.quantiles]
    return dict(found.types) | dict.fromkeys(answers, "an answer")
