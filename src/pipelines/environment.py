"""The one module that touches the environment: nothing phones home, and settings reach child processes."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

# `DO_NOT_TRACK=true` is the one value that Prefect, MLflow and Evidently accept; the others have their own.
NO_TELEMETRY = {
    "DO_NOT_TRACK": "true",
    "RAY_USAGE_STATS_ENABLED": "0",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "GX_ANALYTICS_ENABLED": "false",
}

HOME_VARIABLE = "EVERGREEN_HOME"

# Threads that wait sleep. Spinning, as is the default, an epoch took 20 s instead of 0.1 beside two busy
# processes on 2 cores.
SLEEPING_THREADS = {"OMP_WAIT_POLICY": "passive"}


def set_environment(values: dict[str, str]) -> None:
    """Make `values` hold for this process and those it starts."""
    os.environ.update(values)


@contextmanager
def environment_of(values: dict[str, str]) -> Iterator[None]:
    """Make `values` hold within the block, and what was before after it."""
    before = {name: os.environ[name] for name in values if name in os.environ}
    set_environment(values)
    try:
        yield
    finally:
        for name in values:
            os.environ.pop(name, None)
        set_environment(before)


@contextmanager
def module_hidden(name: str) -> Iterator[None]:
    """Within the block `name` cannot be imported, unless it was before.

    For packages that take along what they can do without.
    """
    hidden = name not in sys.modules
    if hidden:
        sys.modules[name] = None  # type: ignore[assignment]  # Python's way to say that there is none
    try:
        yield
    finally:
        if hidden:
            sys.modules.pop(name, None)


def silence_telemetry() -> None:
    """Switch off every telemetry that our packages have on by default; call before importing them."""
    set_environment(NO_TELEMETRY)


def variable(name: str) -> str | None:
    """The environment variable `name`, None where unset or empty."""
    return os.environ.get(name) or None


def child_environment(extra: dict[str, str] | None = None) -> dict[str, str]:
    """The environment for a process that we start; it may write byte code, or each start costs seconds."""
    values = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    return {**values, **NO_TELEMETRY, **SLEEPING_THREADS, **(extra or {})}


def home_folder(given: Path | str | None = None) -> Path:
    """The home folder, absolute: `given`, else `EVERGREEN_HOME`, else `.evergreen` in the current folder."""
    return Path(given or variable(HOME_VARIABLE) or ".evergreen").absolute()
