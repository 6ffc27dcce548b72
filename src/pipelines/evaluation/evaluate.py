"""Measures a challenger on held-back rows: how good it is, against whom, where, on what it rests."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.config import PipelineConfig
from pipelines.evaluation.answers import CHALLENGER, measure_answers, predict_test
from pipelines.evaluation.baselines import LINEAR, predict_baselines
from pipelines.evaluation.champion import Opponent, ask_champion, compare_with_champion, signature_changes
from pipelines.evaluation.comparing import finite
from pipelines.evaluation.fairness import measure_groups
from pipelines.evaluation.footprint import GOLDEN, try_alone
from pipelines.evaluation.importance import measure_importances
from pipelines.evaluation.own import references
from pipelines.evaluation.plots import draw_plots
from pipelines.evaluation.robustness import probe
from pipelines.evaluation.sampling import draw_sample
from pipelines.evaluation.slice_metrics import measure_found, measure_named
from pipelines.models.bundle import Bundle, load_bundle
from pipelines.models.code import hash_sources, read_module
from pipelines.partition import Partition, partition_snapshot
from pipelines.progress import log
from pipelines.records import (
    Attempt,
    Baseline,
    Champion,
    Evaluation,
    Footprint,
    NoComparison,
    TrainedModel,
)
from pipelines.splitting import PARTS, tell_uneven

if TYPE_CHECKING:
    from datetime import datetime

    import pandas as pd


# Raised when other things are measured of the same model, so that what is kept of before is measured again.
EVALUATION_VERSION = "4"


def fingerprint(config: PipelineConfig) -> str:
    """What identifies the evaluation that a definition asks for, the user's code included."""
    sources: dict[str, bytes] = {}
    for key, reference in references(config).items():
        sources |= read_module(config.folder, key, reference)
    return f"{EVALUATION_VERSION} {config.evaluation.model_dump_json()} {hash_sources(sources)}"


def evaluate_model(
    config: PipelineConfig, attempt: Attempt, trained: TrainedModel, champion: Champion | None = None
) -> Evaluation:
    """Measure a trained model on the test part of its snapshot.

    Metrics, named slices and groups are of all its rows, the rest of a seeded sample. A champion that does
    not load or cannot read the rows is compared with nothing, and that is said.
    """
    rows = partition_snapshot(attempt.snapshot, config)
    if uneven := tell_uneven({part: rows.count(part) for part in PARTS}, config):
        log.warning("%s", uneven)
    bundle = load_bundle(Path(trained.folder), trained.files)
    predictions = predict_test(bundle, rows)
    golden = next(rows.pieces("test")).head(GOLDEN)
    with ThreadPoolExecutor(1) as beside:  # a clean process takes seconds to import what it needs
        alone = beside.submit(try_alone, trained, golden, predictions.head(len(golden)))
        if config.gates.footprint:
            alone.result()  # nothing else may slow it down
        baselines = predict_baselines(config, rows, bundle)
        measured = measure_answers(config, rows, {CHALLENGER: predictions, **baselines})
        met = ask_champion(config, rows, champion)
        opponent = met if isinstance(met, Opponent) else None
        return Evaluation(
            attempt=attempt.id,
            task=config.task,
            metric=config.metric,
            kind=trained.kind,
            rows=len(predictions),
            metrics=measured.metrics[CHALLENGER],
            intervals=measured.intervals[CHALLENGER],
            baselines=[
                Baseline(
                    name=name,
                    linear=name == LINEAR,
                    metrics=measured.metrics[name],
                    differences=measured.differences[name],
                )
                for name in baselines
            ],
            comparison=compare_with_champion(config, rows, predictions, opponent) if opponent else None,
            no_comparison=met if isinstance(met, NoComparison) else None,
            signature_changes=signature_changes(trained, champion),
            newest=newest(rows, config),
            **(examine(config, bundle, rows, predictions, opponent) if finite(predictions) else {}),
            **outcome(alone.result()),
        )


def examine(
    config: PipelineConfig,
    bundle: Bundle,
    rows: Partition,
    predictions: pd.DataFrame,
    opponent: Opponent | None,
) -> dict[str, Any]:
    """What needs answers that are numbers, by the field it goes to."""
    met = opponent if opponent and finite(opponent.answers) else None
    sample = draw_sample(rows, config.data.target, predictions)
    return {
        "slices": [
            *measure_named(config, rows, predictions, met),
            *measure_found(config, bundle.inputs, sample, met),
        ],
        "fairness": measure_groups(config, rows, predictions),
        "probes": probe(bundle, sample.rows),
        "importances": measure_importances(config, bundle, sample),
        "plots": draw_plots(config.task, sample),
    }


def outcome(tried: Footprint | str) -> dict[str, Footprint | str]:
    return {"smoke_failure": tried} if isinstance(tried, str) else {"footprint": tried}


def newest(rows: Partition, config: PipelineConfig) -> datetime | None:
    """The time of the newest row of the snapshot, None where rows have no time."""
    import pandas as pd

    time = config.data.timestamp
    found = [piece[time].max() for piece in rows.read([time])] if time else []
    known = [moment for moment in found if not pd.isna(moment)]
    return max(known).to_pydatetime() if known else None
