"""How a run tells what it does: lines for people, and seconds by stage for the record."""

from __future__ import annotations

import logging
import time
from typing import Any, Self

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
    """A watch of a training, and a context: the last epoch of each model as a log line, at most every
    `seconds`, and at the end.

    A quick training does not flood whoever reads. The record has the row as `epoch`, for who draws a bar.
    """

    def __init__(self, seconds: float = 1.0) -> None:
        self.seconds, self._last = seconds, 0.0
        self._waiting: dict[str, dict[str, Any]] = {}

    def __call__(self, rows: list[dict[str, Any]]) -> None:
        self._waiting |= {row["model"]: row for row in rows}
        if self._waiting and time.monotonic() - self._last >= self.seconds:
            self._say()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._say()

    def _say(self) -> None:
        for row in self._waiting.values():
            log.info("%s", describe_epoch(row), extra={"epoch": row})
        self._last, self._waiting = time.monotonic(), {}


def describe_epoch(row: dict[str, Any]) -> str:
    """One epoch in words: `mlp: epoch 3 of at most 60, loss 0.51, rmse 4.2, 812,000 samples/s`."""
    if row["model"] == "tuning":  # a trial, and the best one so far
        words = [f"tuning: trial {row['epoch']} of at most {row['epochs']}", f"loss {row['loss']:.4g}"]
        words.append(f"best {row['validation']:.4g}")
        return ", ".join(words + left_words(row))
    words = [f"{row['model']}: epoch {row['epoch']} of at most {row['epochs']}", f"loss {row['loss']:.4g}"]
    if row.get("validation") is not None:
        words.append(f"validation {row['validation']:.4g}")
    if row.get("score") is not None:
        words.append(f"{row['metric']} {row['score']:.4g}")
    words.append(f"{row['samples_per_second']:,} samples/s")
    device = row.get("device", {})
    for name, unit in (("cpu_percent", "CPU"), ("gpu_percent", "GPU")):
        if name in device:
            words.append(f"{unit} {device[name]:.0f} %")
    return ", ".join(words + left_words(row))


def left_words(row: dict[str, Any]) -> list[str]:
    return [f"at most {row['left']:.0f} s left"] if row.get("left") else []


def epoch_table(rows: list[dict[str, Any]], most: int = 100) -> str:
    """The epochs as a table in Markdown; where there are more than `most`, the last."""
    shown = rows[-most:]
    metric = next((row["metric"] for row in shown if row.get("metric")), "metric")
    names = ["model", "epoch", "loss", "validation", metric, "samples/s", "seconds"]
    lines = [names, ["---"] + ["--:"] * 6, *map(epoch_cells, shown)]
    words = f"\n\nThe last {len(shown)} of {len(rows)} epochs." if len(shown) < len(rows) else ""
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + words


def epoch_cells(row: dict[str, Any]) -> list[str]:
    numbers = [row["loss"], row.get("validation"), row.get("score")]
    told = ["" if value is None else f"{value:.4g}" for value in numbers]
    return [
        row["model"],
        str(row["epoch"]),
        *told,
        f"{row['samples_per_second']:,}",
        f"{row['seconds']:.2f}",
    ]
