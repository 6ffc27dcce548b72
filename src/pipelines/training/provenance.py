"""In which surroundings an attempt is made: code, packages, machine."""

from __future__ import annotations

import os
import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from pipelines.environment import child_environment
from pipelines.training.attempts import TRAINING_VERSION

# With which git looks into another repository than the folder's, as a hook of one does.
ELSEWHERE = {"GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_COMMON_DIR"}
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


def find_commit(file: Path = Path(__file__)) -> str | None:
    """The commit of the code that runs; `-dirty` behind it where files were changed since.

    None where no repository keeps this file: one around an installed package knows nothing of it.
    """
    if ask_git(file.parent, "ls-files", "--error-unmatch", file.name) is None:
        return None
    return ask_git(file.parent, "describe", "--always", "--abbrev=40", "--dirty", "--exclude", "*")


def ask_git(folder: Path, *words: str) -> str | None:
    """What git says in a folder, None where it fails or is not there."""
    around = {name: value for name, value in child_environment().items() if name not in ELSEWHERE}
    try:
        done = subprocess.run(
            ["git", *words],
            cwd=folder,
            env=around,
            capture_output=True,
            text=True,
            timeout=10,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
