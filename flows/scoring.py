"""Predictions for a file, and the truth about them when it comes."""

from __future__ import annotations

from pathlib import Path

from prefect import flow

from pipelines.data.predictions.prediction_log import LabelResult
from pipelines.home import Home
from pipelines.promotion.champion import require_champion
from pipelines.registration import open_pipeline
from pipelines.scoring import ScoreResult
from tasks.scoring import add_labels, score_file


@flow(name="scoring", flow_run_name="score-{pipeline}")
def scoring(pipeline: str, input: str, output: str) -> ScoreResult:
    """Score a file with the champion; each row is logged like an online prediction.

    Args:
        pipeline: name of a known pipeline, or the path of its pipeline.yaml.
        input: CSV or Parquet file with the model's columns.
        output: CSV or Parquet file to write, in the input's order.
    """
    home = Home.at()
    config = open_pipeline(home, pipeline)
    return score_file(home, config, require_champion(home, config.pipeline), Path(input), Path(output))


@flow(name="labelling", flow_run_name="labels-{pipeline}")
def labelling(pipeline: str, input: str) -> LabelResult:
    """Take in the true values of earlier predictions.

    Args:
        pipeline: name of a known pipeline, or the path of its pipeline.yaml.
        input: CSV or Parquet file with `prediction_id` and the target column (or `label`).
    """
    home = Home.at()
    return add_labels(home, open_pipeline(home, pipeline), Path(input))
