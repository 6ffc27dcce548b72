"""Deployments of a pipeline, by name: what prefect.yaml declares for the example, in its own words."""

from __future__ import annotations

import copy
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import yaml

from pipelines.config import PipelineConfig
from pipelines.environment import child_environment
from pipelines.errors import StackError

EXAMPLE = "rides"


def declaration() -> dict[str, Any]:
    """prefect.yaml, as it lies at the root of the project."""
    import flows

    path = Path(flows.__file__).parents[1] / "prefect.yaml"
    if not path.exists():
        raise StackError(f"{path} is not there.", "Install Evergreen from its checkout, in editable form.")
    found: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return found


def declare(config: PipelineConfig) -> dict[str, Any]:
    """The declaration for one pipeline; the user's own example flow stays the example's."""
    whole = copy.deepcopy(declaration())
    entries = [d for d in whole["deployments"] if not d["entrypoint"].startswith("examples.")]
    whole["deployments"] = [rename(entry, config) for entry in entries]
    return whole


def rename(entry: dict[str, Any], config: PipelineConfig) -> dict[str, Any]:
    """One deployment with the pipeline's name, schedule and event.

    The ledger knows where the name's definition lies.
    """
    if "pipeline" not in entry.get("parameters", {}):
        return entry
    stage = entry["entrypoint"].split(".")[1]
    cron = {"monitoring": config.monitoring.schedule, "training": config.retraining.schedule}.get(stage)
    return {
        **entry,
        "name": config.pipeline,
        "tags": ["evergreen", config.pipeline],
        "parameters": {**entry["parameters"], "pipeline": config.pipeline},
        "schedules": [{"cron": cron, "timezone": "UTC"}] if cron else [],
        "triggers": [rename_trigger(t, config.pipeline) for t in entry.get("triggers", [])],
    }


def rename_trigger(trigger: dict[str, Any], pipeline: str) -> dict[str, Any]:
    """A trigger that listens to this pipeline's events alone."""
    match = {key: value.replace(f".{EXAMPLE}", f".{pipeline}") for key, value in trigger["match"].items()}
    return {**trigger, "name": trigger["name"].replace(EXAMPLE, pipeline), "match": match}


def apply(config: PipelineConfig) -> list[str]:
    """Create or update the deployments of a pipeline by Prefect's own command; their names.

    Raises StackError.
    """
    declared = declare(config)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "prefect.yaml"
        file.write_text(yaml.safe_dump(declared, sort_keys=False), encoding="utf-8")
        command = [
            sys.executable,
            "-m",
            "prefect",
            "--no-prompt",
            "deploy",
            "--all",
            "--prefect-file",
            str(file),
        ]
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, env=child_environment(), cwd=config.folder
        )
    if done.returncode != 0:
        raise StackError(
            f"prefect deploy failed: {(done.stderr or done.stdout).strip()[-1500:]}",
            "`evergreen status` shows what runs.",
        )
    return [f"{d['entrypoint'].rsplit('.', 1)[1]}/{d['name']}" for d in declared["deployments"]]
