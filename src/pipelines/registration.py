"""A pipeline by its path or by its name."""

from __future__ import annotations

from pathlib import Path

from pipelines.config import PipelineConfig, load_config
from pipelines.home import Home
from pipelines.ledger import Ledger


def open_pipeline(home: Home, pipeline: str) -> PipelineConfig:
    """The definition at a path, whose name is known from then on, or the one known by name. Raises ConfigError, UsageError."""
    if Path(pipeline).suffix in {".yaml", ".yml"} or Path(pipeline).exists():
        config = load_config(pipeline)
        Ledger.open(home).name_pipeline(config.pipeline, Path(pipeline))
        return config
    return load_config(Ledger.open(home).definition(pipeline))
