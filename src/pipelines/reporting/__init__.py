"""The page that tells a pipeline's story: windows, alarms, training runs, champions."""

from __future__ import annotations

from pipelines.reporting.page import render_report
from pipelines.reporting.story import AttemptLine, Story

__all__ = ["AttemptLine", "Story", "render_report"]
