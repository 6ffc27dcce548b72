"""Judges the windows of logged predictions that are due.

It never trains: it decides, stores the cause and says so.
"""

from __future__ import annotations

from datetime import datetime

from prefect import flow

from pipelines.home import Home
from pipelines.monitoring.report import render_drift
from pipelines.monitoring.watch import due_windows
from pipelines.records import WindowJudgment
from pipelines.registration import open_pipeline
from tasks.monitoring import judge_window, measure_window
from tasks.publishing import publish, send_causes


@flow(name="monitoring", flow_run_name="monitor-{pipeline}")
def monitoring(
    pipeline: str, since: datetime | None = None, until: datetime | None = None
) -> list[WindowJudgment]:
    """Judge every window that has not been judged on the rows and labels that are there now.

    Args:
        pipeline: name of a known pipeline, or the path of its pipeline.yaml.
        since: judge windows that end after this moment of the pipeline's own time, again if need be.
        until: judge windows that start before this moment.
    """
    home = Home.at()
    config = open_pipeline(home, pipeline)
    judgments = []
    for window in due_windows(config, home, since, until):
        judgment = judge_window(config, home, measure_window(config, home, window))
        publish(
            f"{config.pipeline}-window", render_drift(judgment), f"Window from {window.start:%Y-%m-%d %H:%M}"
        )
        judgments.append(judgment)
    send_causes(home, config.pipeline)
    return judgments
