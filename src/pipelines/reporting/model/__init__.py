"""The page of one model: what was measured on rows it had not seen, and what the gates made of it."""

from __future__ import annotations

from pipelines.reporting.model.page import render_model
from pipelines.reporting.model.story import ModelStory

__all__ = ["ModelStory", "render_model"]
