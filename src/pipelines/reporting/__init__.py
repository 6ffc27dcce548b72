"""The page that tells a pipeline's story: batches, windows, alarms, training runs, champions."""

from __future__ import annotations

from pipelines.reporting.page import render_report
from pipelines.reporting.story import AttemptLine, BatchLine, Story

__all__ = ["AttemptLine", "BatchLine", "Story", "render_report"]
