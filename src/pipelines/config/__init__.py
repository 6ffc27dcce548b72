"""The definition of a pipeline: `pipeline.yaml` as frozen models, with errors that name line and key."""

from pipelines.config.definition import PipelineConfig
from pipelines.config.learning import KINDS, Model, Prices, Training, Tuning
from pipelines.config.reading import Loader, load_config, place_in
from pipelines.config.sections import (
    METRICS,
    Check,
    Column,
    ColumnType,
    Data,
    DriftCheck,
    Duration,
    Format,
    Gates,
    Metric,
    Monitoring,
    Retraining,
    Split,
    Threshold,
    Validation,
    Watermark,
    parse_duration,
)

__all__ = [
    "KINDS",
    "METRICS",
    "Check",
    "Column",
    "ColumnType",
    "Data",
    "DriftCheck",
    "Duration",
    "Format",
    "Gates",
    "Loader",
    "Metric",
    "Model",
    "Monitoring",
    "PipelineConfig",
    "Prices",
    "Retraining",
    "Split",
    "Threshold",
    "Training",
    "Tuning",
    "Validation",
    "Watermark",
    "load_config",
    "parse_duration",
    "place_in",
]
