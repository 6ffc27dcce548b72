"""Attempts, their trials and what they cost, the model that came of them."""

from __future__ import annotations

from typing import Literal

from pipelines.records.base import Record
from pipelines.records.data import Snapshot

TrialStatus = Literal["running", "finished", "stopped early", "failed"]


class Attempt(Record):
    """One try at a trained model.

    `id` comes from content, so the same attempt started twice is one attempt.
    """

    id: str
    pipeline: str
    snapshot: Snapshot
    folder: str
    cause: str | None = None


class TrainedModel(Record):
    """A bundle of files in `folder`, with the sha256 of each.

    Nothing in it is loaded before the hash agrees.
    """

    attempt: str
    kind: str
    folder: str
    files: dict[str, str]
    seconds: float
    details: dict[str, float] = {}
    parts: dict[str, float] = {}  # seconds, see `driver.split_time`


class Trial(Record):
    """One trial of a tuning: settings of `model` and `training` by name, and how it went.

    `losses` are the validation losses, epoch by epoch; `best` is the least of them. `stopped early` is by
    ASHA or at the end of the time; `failed` has its reason. `at` are seconds since the tuning began, less the
    time in which no process of it lived.
    """

    number: int  # from 0, the definition's own settings
    settings: dict[str, float | int | str | None]
    status: TrialStatus = "running"
    losses: list[float] = []
    best: float | None = None
    seconds: float = 0.0
    at: float = 0.0
    reason: str | None = None


class Cost(Record):
    """What something has used: times in seconds, memory in bytes, money in `currency`.

    `processes` says of how many processes it is the sum, `wasted_seconds` how many of the CPU seconds were
    those of processes that died and had to be replaced. `money` is None where currencies were mixed.
    """

    cpu_seconds: float = 0.0
    gpu_seconds: float = 0.0
    peak_bytes: int = 0
    wall_seconds: float = 0.0
    money: float | None = 0.0
    currency: str = ""
    processes: int = 0
    wasted_seconds: float = 0.0

    def __add__(self, other: Cost) -> Cost:
        """Both, one after the other; a cost of nothing has no currency."""
        known = {cost.currency for cost in (self, other) if cost.currency}
        mixed = len(known) > 1 or self.money is None or other.money is None
        return Cost(
            cpu_seconds=round(self.cpu_seconds + other.cpu_seconds, 3),
            gpu_seconds=round(self.gpu_seconds + other.gpu_seconds, 3),
            peak_bytes=max(self.peak_bytes, other.peak_bytes),
            wall_seconds=round(self.wall_seconds + other.wall_seconds, 3),
            money=None if mixed else round((self.money or 0.0) + (other.money or 0.0), 6),
            currency=next(iter(known)) if len(known) == 1 else "",
            processes=self.processes + other.processes,
            wasted_seconds=round(self.wasted_seconds + other.wasted_seconds, 3),
        )
