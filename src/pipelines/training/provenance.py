"""In which surroundings an attempt is made: code, packages, machine."""

from __future__ import annotations

import os
import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from pipelines.training.attempts import TRAINING_VERSION

# What a model's weights depend on.
PACKAGES = ("evergreen", "numpy", "pandas", "ray", "scikit-learn", "torch", "tabm", "rtdl-num-embeddings")


def describe_environment() -> dict[str, Any]:
    """Versions of code and packages, the git commit where there is one, and the machine; as JSON."""
    return {
        "training_version": TRAINING_VERSION,
        "commit": find_commit(),
        "python": platform.python_version(),
        "packages": {name: found for name in PACKAGES if (found := find_version(name))},
        "machine": {"system": platform.platform(), "kind": platform.machine(), "cpus": os.cpu_count()},
    }


def find_version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def find_commit() -> str | None:
    """The commit of the code that runs; `-dirty` behind it where files were changed since."""
    command = ["git", "describe", "--always", "--abbrev=40", "--dirty", "--exclude", "*"]
    try:
        done = subprocess.run(
            command, cwd=Path(__file__).parent, capture_output=True, text=True, timeout=10, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() or None
