"""A pipeline by its path or by its name."""

from __future__ import annotations

from pathlib import Path

from pipelines.config import Column, PipelineConfig, load_config
from pipelines.home import Home
from pipelines.ledger import Ledger


def open_pipeline(home: Home, pipeline: str) -> PipelineConfig:
    """The definition at a path, whose name is known from then on, or the one known by name.

    Raises ConfigError, UsageError.
    """
    if Path(pipeline).suffix in {".yaml", ".yml"} or Path(pipeline).is_file():
        config = load_config(pipeline)
        Ledger.open(home).name_pipeline(config.pipeline, Path(pipeline))
        return config
    return load_config(Ledger.open(home).definition(pipeline))


def derive_pipeline(
    home: Home, config: PipelineConfig, suffix: str, source: str, columns: dict[str, Column]
) -> PipelineConfig:
    """The pipeline `<name>-<suffix>`, like another but with a source of its own and more columns.

    Its definition is kept under the home folder, where a relative source starts, and its name is known then.
    """
    name = f"{config.pipeline}-{suffix}"
    changes = {
        "pipeline": name,
        "data": config.data.model_copy(update={"source": source}),
        "columns": config.columns | columns,
    }
    path = home.pipeline(name).root / "pipeline.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o600)  # it is read by: what the source says in full stays there
    definition = config.model_copy(update=changes).model_dump_json(indent=2, exclude={"folder"})
    path.write_text(definition, encoding="utf-8")  # JSON is YAML
    return open_pipeline(home, str(path))
