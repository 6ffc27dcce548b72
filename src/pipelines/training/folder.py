"""What lies in an attempt's folder, and the files that every process of it reads and writes."""

from __future__ import annotations

import json
import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipelines.errors import ConfigError, DataError, EvergreenError, TrainingFailed
from pipelines.files import write_whole
from pipelines.records import Attempt, Evaluation, TrainedModel

# A process that waits for another one uses a hundredth of a core; Ray's own threads stay below this, too.
WORKING_SHARE = 0.1
ERRORS = {kind.__name__: kind for kind in (DataError, ConfigError, TrainingFailed)}


@dataclass(frozen=True)
class AttemptFolder:
    """Where things lie; nothing is created before it is written."""

    root: Path

    @classmethod
    def of(cls, attempt: Attempt) -> AttemptFolder:
        return cls(Path(attempt.folder))

    @classmethod
    def of_model(cls, trained: TrainedModel) -> AttemptFolder:
        return cls(Path(trained.folder).parent)

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
        """Of the driver, on its own host."""
        return self.root / "pid"

    @property
    def fault(self) -> Path:
        """Which process died under the driver, so that it ended, to be started again."""
        return self.root / "fault"

    @property
    def spent(self) -> Path:
        """What faults and time have been used, until it is said how the attempt ended."""
        return self.root / "spent.json"

    @property
    def care(self) -> Path:
        """Held by whoever looks after the driver, for the moment of a look."""
        return self.root / "care"

    @property
    def progress(self) -> Path:
        """A line for each epoch; one that was repeated after a crash is there twice."""
        return self.root / "progress.jsonl"

    @property
    def beat(self) -> Path:
        """Touched while something is being done: no epoch needs to end for it."""
        return self.root / "beat"

    @contextmanager
    def beating(self) -> Iterator[None]:
        """Touch `beat` about once a second while this process uses a tenth of a core or more.

        One that hangs or waits does not beat. For whatever is not a loop that touches it by itself.
        """
        over = threading.Event()
        thread = threading.Thread(target=beat_while_working, args=(self.beat, over), daemon=True)
        self.beat.touch()
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()

    @property
    def arrays(self) -> Path:
        return self.root / "arrays"

    def remove_arrays(self) -> None:
        """Those of every fit: large, and read by nobody once there is a result."""
        for place in (self.arrays, self.root / "refit" / "arrays", *self.root.glob("recency/*/arrays")):
            shutil.rmtree(place, ignore_errors=True)

    @property
    def code(self) -> Path:
        """The user's own modules, as they were when the attempt began."""
        return self.root / "code"

    @property
    def candidates(self) -> Path:
        """A folder for each model that was tried."""
        return self.root / "candidates"

    @property
    def bundle(self) -> Path:
        return self.root / "bundle"

    @property
    def golden(self) -> Path:
        """A few rows, and the model's answers to them as evaluation found them."""
        return self.root / "smoke"

    @property
    def evaluation(self) -> Path:
        """What was measured of the model, newest champion included: `records.Evaluation` as JSON."""
        return self.root / "evaluation.json"

    @property
    def usage(self) -> Path:
        """What each process has used, a file each."""
        return self.root / "usage"

    @property
    def trials(self) -> Path:
        """A line for each trial of a tuning."""
        return self.root / "trials.jsonl"

    @property
    def failed_trials(self) -> Path:
        """The same of the last tuning that gave no model."""
        return self.root / "failed_trials.jsonl"

    @property
    def tuned(self) -> Path:
        """What a tuning has found, once it has ended."""
        return self.root / "tuned.json"

    def keep_evaluation(self, evaluation: Evaluation) -> None:
        """Numbers that are not finite are kept as such, which JSON proper does not know."""
        write_whole(self.evaluation, json.dumps(evaluation.model_dump(mode="json")))

    def read_evaluation(self) -> Evaluation | None:
        """None where none was kept, or an earlier Evergreen kept it in another form."""
        try:
            return Evaluation.model_validate_json(self.evaluation.read_bytes())
        except (OSError, ValueError):
            return None

    def read_epochs(self) -> list[dict[str, Any]]:
        """What each epoch of each model reported, in order (see `loop.Loop.told`)."""
        return ProgressReader(self).read()


class ProgressReader:
    """Reads what was told since the last call; of an epoch that was told twice, after a crash, the first."""

    def __init__(self, folder: AttemptFolder) -> None:
        self.path, self._read = folder.progress, 0
        self._told: set[tuple[str, int]] = set()

    def read(self) -> list[dict[str, Any]]:
        """The rows of whole lines, in order; often none."""
        if not self.path.exists() or self.path.stat().st_size <= self._read:
            return []
        with self.path.open("rb") as file:
            file.seek(self._read)
            whole = file.read().rpartition(b"\n")[0]
        self._read += len(whole) + 1 if whole else 0
        rows = [row for row in map(parse_line, whole.decode().splitlines()) if row]
        return [row for row in rows if self._is_new(row)]

    def _is_new(self, row: dict[str, Any]) -> bool:
        key = (row["model"], row["epoch"])
        # A trial is told when it ends, so once; those of a search after one that failed count from 1 again.
        new = key not in self._told or row["model"] == "tuning"
        self._told.add(key)
        return new


def beat_while_working(beat: Path, over: threading.Event) -> None:
    """The thread of `AttemptFolder.beating`."""
    used, since = time.process_time(), time.monotonic()
    while not over.wait(1.0):
        now_used, now = time.process_time(), time.monotonic()
        if now_used - used >= WORKING_SHARE * (now - since):
            beat.touch()
        used, since = now_used, now


def parse_line(line: str) -> dict[str, Any] | None:
    """A line that is being written is not one yet."""
    try:
        parsed: dict[str, Any] = json.loads(line)
    except ValueError:
        return None
    return parsed


def write_error(path: Path, error: EvergreenError) -> None:
    """Keep why a process ended without what it was to make."""
    kind = next((name for name, kind in ERRORS.items() if isinstance(error, kind)), TrainingFailed.__name__)
    write_whole(path, json.dumps({"kind": kind, "message": error.message, "hint": error.hint}))


def read_error(path: Path) -> EvergreenError | None:
    """What `write_error` kept: DataError, ConfigError, else TrainingFailed; None where it kept nothing."""
    if not path.exists():
        return None
    kept = json.loads(path.read_text())
    return ERRORS[kept["kind"]](kept["message"], kept["hint"])
