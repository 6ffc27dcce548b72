"""A model in a clean process: does it load, does it answer as known, how fast, in how much memory.

`python -m pipelines.evaluation.footprint FOLDER` is that process.
"""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.environment import child_environment
from pipelines.errors import EvergreenError
from pipelines.records import Footprint, TrainedModel
from pipelines.training.folder import AttemptFolder

if TYPE_CHECKING:
    import pandas as pd

    from pipelines.models.bundle import Bundle

SECONDS = 120
SINGLE = 50  # answers to one row each: the 99th percentile is then nearly the slowest
GOLDEN = 20  # rows whose answers are compared


def try_alone(trained: TrainedModel, rows: pd.DataFrame, expected: pd.DataFrame) -> Footprint | str:
    """Load and ask the model in a clean process; a string says what went wrong."""
    folder = AttemptFolder.of_model(trained).golden
    folder.mkdir(exist_ok=True)
    write_whole(rows, folder / "rows.parquet")
    write_whole(expected, folder / "expected.parquet")
    (folder / "trained.json").write_text(trained.model_dump_json())
    command = [sys.executable, "-m", "pipelines.evaluation.footprint", str(folder)]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=SECONDS, check=False, env=child_environment()
        )
    except subprocess.TimeoutExpired:
        return f"The model did not load and answer within {SECONDS} s in a clean process."
    if done.returncode:
        return f"In a clean process: {(done.stderr or done.stdout).strip()[-500:]}"
    return Footprint.model_validate_json((folder / "footprint.json").read_text())


def write_whole(table: pd.DataFrame, path: Path) -> None:
    """A table under its name only once it is complete: a promotion may read what was there before."""
    draft = path.with_suffix(".draft")
    table.to_parquet(draft)
    draft.replace(path)


# ------------------------------------------------------------------------------------- in the clean process


def main(folder: Path) -> str | None:
    """Measure, and leave footprint.json; what went wrong, or None."""
    import pandas as pd

    trained = TrainedModel.model_validate_json((folder / "trained.json").read_text())
    rows, expected = pd.read_parquet(folder / "rows.parquet"), pd.read_parquet(folder / "expected.parquet")
    try:
        bundle, seconds, memory = load(trained)
        answers = bundle.predict(rows)
    except EvergreenError as error:
        return str(error)
    if not same_answers(answers, expected):
        return "the answers differ from those in evaluation."
    found = measure(bundle, rows, trained, seconds, memory)
    (folder / "footprint.json").write_text(found.model_dump_json())
    return None


def load(trained: TrainedModel) -> tuple[Bundle, float, int]:
    """The model, the seconds that loading took and the memory that it added, libraries included."""
    import psutil

    from pipelines.models.bundle import load_bundle

    process, began = psutil.Process(), time.perf_counter()
    before = process.memory_info().rss
    bundle = load_bundle(Path(trained.folder), trained.files)
    return bundle, time.perf_counter() - began, process.memory_info().rss - before


def measure(
    bundle: Bundle, rows: pd.DataFrame, trained: TrainedModel, seconds: float, memory: int
) -> Footprint:
    import numpy as np
    import pandas as pd

    singles = [timed(bundle, rows.iloc[[number % len(rows)]]) for number in range(SINGLE)]
    many = pd.concat([rows] * (1 + 1000 // len(rows)), ignore_index=True)
    size = sum((Path(trained.folder) / name).stat().st_size for name in trained.files)
    return Footprint(
        load_seconds=round(seconds, 3),
        latency_p50=round(1000 * float(np.quantile(singles, 0.5)), 3),
        latency_p99=round(1000 * float(np.quantile(singles, 0.99)), 3),
        rows_per_second=round(len(many) / timed(bundle, many)),
        memory_bytes=max(0, memory),
        size_bytes=size,
    )


def timed(bundle: Bundle, rows: pd.DataFrame) -> float:
    began = time.perf_counter()
    bundle.predict(rows)
    return time.perf_counter() - began


def same_answers(answers: pd.DataFrame, expected: pd.DataFrame) -> bool:
    """Whether answers are those expected; float32 sums may differ in the last digits with the batch's size.

    What may differ near 0 is measured by the largest answer, since targets have any unit. A class follows
    from its probabilities, and is not compared: of two that are as likely either may come.
    """
    import numpy as np

    numbers = expected.select_dtypes("number")
    largest = float(np.abs(numbers.to_numpy("float64")).max(initial=0.0))
    close = np.allclose(answers[numbers.columns], numbers, rtol=1e-3, atol=1e-4 * largest)
    return close and list(answers.columns) == list(expected.columns)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
