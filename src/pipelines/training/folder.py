"""What lies in an attempt's folder, and the two files that every process of it reads and writes."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipelines.records import Attempt


@dataclass(frozen=True)
class AttemptFolder:
    """Where things lie; nothing is created before it is written."""

    root: Path

    @classmethod
    def of(cls, attempt: Attempt) -> AttemptFolder:
        return cls(Path(attempt.folder))

    @property
    def spec(self) -> Path:
        """What the driver reads: definition and attempt."""
        return self.root / "spec.json"

    @property
    def result(self) -> Path:
        """The trained model, once there is one."""
        return self.root / "result.json"

    @property
    def error(self) -> Path:
        """Why the driver ended without one."""
        return self.root / "error.json"

    @property
    def log(self) -> Path:
        return self.root / "log"

    @property
    def lock(self) -> Path:
        """Held by the living driver."""
        return self.root / "lock"

    @property
    def pid(self) -> Path:
        return self.root / "pid"

    @property
    def progress(self) -> Path:
        """A line for each epoch; one that was repeated after a crash is there twice."""
        return self.root / "progress.jsonl"

    @property
    def beat(self) -> Path:
        """Touched while something is being done: no epoch needs to end for it."""
        return self.root / "beat"

    @property
    def arrays(self) -> Path:
        return self.root / "arrays"

    @property
    def candidates(self) -> Path:
        """A folder for each model that was tried."""
        return self.root / "candidates"

    @property
    def bundle(self) -> Path:
        return self.root / "bundle"

    @property
    def usage(self) -> Path:
        """What each process has used, a file each."""
        return self.root / "usage"

    @property
    def trials(self) -> Path:
        """A line for each trial of a tuning."""
        return self.root / "trials.jsonl"

    def read_epochs(self) -> list[dict[str, Any]]:
        """What each epoch of each model reported, in order (see `loop.Loop.told`)."""
        lines = self.progress.read_text().splitlines() if self.progress.exists() else []
        rows = {(row["model"], row["epoch"]): row for row in map(parse_line, lines) if row}
        return list(rows.values())


def parse_line(line: str) -> dict[str, Any] | None:
    """A line that is being written is not one yet."""
    try:
        parsed: dict[str, Any] = json.loads(line)
    except ValueError:
        return None
    return parsed


def write_whole(path: Path, text: str) -> None:
    """Write a file that is either there in full or not."""
    draft = path.with_suffix(".part")
    draft.write_text(text)
    draft.replace(path)
