"""Is the champion still right about the world? Evidently measures, `judge` decides, others act.

`judge` and `pipelines.retraining` are pure; nothing here trains.
"""

from pipelines.monitoring.drift import measure_drift
from pipelines.monitoring.judge import judge_window
from pipelines.monitoring.reference import (
    DriftTest,
    Reference,
    build_reference,
    read_reference,
    write_reference,
)
from pipelines.monitoring.report import render_drift
from pipelines.monitoring.windows import main_version, measure_window

__all__ = [
    "DriftTest",
    "Reference",
    "build_reference",
    "judge_window",
    "main_version",
    "measure_drift",
    "measure_window",
    "read_reference",
    "render_drift",
    "write_reference",
]
