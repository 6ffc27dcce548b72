"""The definition of a pipeline: `pipeline.yaml` as frozen models, with errors that name line and key."""

from pipelines.config.amounts import Amount
from pipelines.config.auditing import Audit, Review, Reviewed
from pipelines.config.definition import PipelineConfig
from pipelines.config.gates import (
    CalibrationGate,
    FairnessGate,
    FootprintGate,
    LeakGate,
    RobustnessGate,
    SignatureGate,
    SimplerGate,
    SliceGate,
)
from pipelines.config.judging import (
    MEASURED,
    METRICS,
    Approval,
    ChampionGate,
    Gates,
    Metric,
    Threshold,
)
from pipelines.config.learning import KINDS, Model, Prices, Training, Tuning
from pipelines.config.measuring import VALUE, Measuring, columns_of
from pipelines.config.reading import Loader, load_config, place_in
from pipelines.config.sections import (
    Check,
    Column,
    ColumnType,
    Data,
    DriftCheck,
    Duration,
    Format,
    Monitoring,
    Retraining,
    Split,
    Validation,
    Watermark,
    parse_duration,
)

__all__ = [
    "KINDS",
    "MEASURED",
    "METRICS",
    "VALUE",
    "Amount",
    "Approval",
    "Audit",
    "CalibrationGate",
    "ChampionGate",
    "Check",
    "Column",
    "ColumnType",
    "Data",
    "DriftCheck",
    "Duration",
    "FairnessGate",
    "FootprintGate",
    "Format",
    "Gates",
    "LeakGate",
    "Loader",
    "Measuring",
    "Metric",
    "Model",
    "Monitoring",
    "PipelineConfig",
    "Prices",
    "Retraining",
    "Review",
    "Reviewed",
    "RobustnessGate",
    "SignatureGate",
    "SimplerGate",
    "SliceGate",
    "Split",
    "Threshold",
    "Training",
    "Tuning",
    "Validation",
    "Watermark",
    "columns_of",
    "load_config",
    "parse_duration",
    "place_in",
]
