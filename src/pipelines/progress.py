"""How a run tells what it does: lines for people, and seconds by stage for the record."""

from __future__ import annotations

import logging
import time
from typing import Any

# Prefect sends this logger's lines to its UI (PREFECT_LOGGING_EXTRA_LOGGERS), the command line prints them.
log = logging.getLogger("evergreen")


class Stopwatch:
    """Seconds by stage; `lap` closes the stage that ran since the last one."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._last = time.monotonic()

    def lap(self, stage: str) -> None:
        now = time.monotonic()
        self.seconds[stage] = round(self.seconds.get(stage, 0.0) + now - self._last, 3)
        self._last = now


class EpochLog:
    """Epochs as log lines, at most one in `seconds`: a quick training does not flood whoever reads."""

    def __init__(self, seconds: float = 1.0) -> None:
        self.seconds, self._last = seconds, 0.0

    def __call__(self, rows: list[dict[str, Any]]) -> None:
        if rows and time.monotonic() - self._last >= self.seconds:
            self._last, row = time.monotonic(), rows[-1]
            losses = [
                f"{name} {row[name]:.4f}" for name in ("loss", "validation") if row.get(name) is not None
            ]
            log.info(
                "Epoch %d of at most %d: %s, %s samples/s",
                row["epoch"],
                row["epochs"],
                ", ".join(losses),
                f"{row['samples_per_second']:,}",
            )
