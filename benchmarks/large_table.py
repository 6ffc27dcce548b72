"""A training on a table of many rows, and its evaluation: seconds, and the memory of all its processes.

`python benchmarks/training.py --rows 20000000` (this file by itself: 1,000,000) makes a Delta table of 20
columns in a temporary folder (16 numbers, 3 categories, the target; seeded), starts the driver of an
attempt as a flow does, then the evaluation of its model on the test part, each as a process of its own.
Memory is sampled every 0.2 s from /proc: PSS, which counts a page that several processes share once, in sum
over the process and all below it; pages of mapped files are in it, and are given apart: the kernel can drop
these without loss.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from pipelines.config import PipelineConfig
from pipelines.data.storage.snapshots import current_snapshot
from pipelines.data.storage.tables import add_files, write_part
from pipelines.environment import child_environment
from pipelines.home import Home
from pipelines.records import Attempt, Snapshot, TrainedModel
from pipelines.training.attempts import plan_attempt
from pipelines.training.folder import AttemptFolder

FILE_ROWS = 1_000_000
SAMPLED = 0.2  # seconds between two looks at memory
ZONES = np.array(["north", "south", "east", "west", "centre", "coast"], dtype=object)


def run_large(rows: int, batch_size: int) -> dict[str, Any]:
    """Make the table, train one epoch, evaluate; what each took."""
    with tempfile.TemporaryDirectory(prefix="evergreen-bench-") as name:
        config, home = define(batch_size), Home(Path(name))
        make_snapshot(home, rows)
        snapshot = current_snapshot(home, config.pipeline)
        assert snapshot is not None  # noqa: S101
        folder = plan_folder(config, home, snapshot)
        found: dict[str, Any] = {"rows": snapshot.rows, "columns": 20}
        found["training"] = watch([sys.executable, "-m", "pipelines.training.driver", str(folder)])
        used = json.loads(next((folder / "usage").glob("driver-*.json")).read_text())
        found["training"]["peak RSS of the driver GiB"] = round(used["peak_bytes"] / 2**30, 2)
        found["training"]["parts"] = json.loads((folder / "result.json").read_text())["parts"]
        sys.stderr.write(f"{json.dumps(found)}\n")
        found["evaluation"] = watch([sys.executable, __file__, str(folder)])
        return found


def compare_stream(rows: int, batch_size: int) -> dict[str, Any]:
    """The same training with its rows mapped from arrays and streamed; speed in its second epoch."""
    with tempfile.TemporaryDirectory(prefix="evergreen-bench-") as name:
        home, found = Home(Path(name)), {}
        make_snapshot(home, rows)
        for way, settings in (("arrays", {"workers": 1}), ("stream", {"stream": True})):
            config = define(batch_size, epochs=2, **settings)
            snapshot = current_snapshot(home, config.pipeline)
            assert snapshot is not None  # noqa: S101
            folder = plan_folder(config, home, snapshot)
            attempt = AttemptFolder(folder)
            found[way] = watch(
                [sys.executable, "-m", "pipelines.training.driver", str(folder)], attempt.arrays
            )
            last = attempt.read_epochs()[-1]
            found[way] |= {"samples/s": last["samples_per_second"], "validation": last["validation"]}
        names = ("samples/s", "peak GiB", "seconds")
        ratios = {name: round(found["stream"][name] / found["arrays"][name], 3) for name in names}
        return {"rows": rows, "columns": 20, **found, "stream / arrays": ratios}


def plan_folder(config: PipelineConfig, home: Home, snapshot: Snapshot) -> Path:
    """The folder of an attempt, ready for its driver."""
    attempt = plan_attempt(config, home, snapshot, None)
    folder = Path(attempt.folder)
    folder.mkdir(parents=True)
    spec = {"config": config.model_dump(mode="json"), "attempt": attempt.model_dump()}
    (folder / "spec.json").write_text(json.dumps(spec))
    return folder


def define(batch_size: int, **training: Any) -> PipelineConfig:
    names = {f"x{i}": "number" for i in range(16)} | {f"c{i}": "category" for i in range(3)} | {"y": "number"}
    return PipelineConfig.model_validate(
        {
            "pipeline": "bench",
            "task": "regression",
            "metric": "rmse",
            "data": {"source": "none.parquet", "target": "y"},
            "columns": {name: {"type": kind} for name, kind in names.items()},
            "split": {"by": "random"},
            "model": {"kind": "mlp"},
            "training": {"epochs": 1, "batch_size": batch_size, "refit": False, **training},
        }
    )


def make_snapshot(home: Home, rows: int) -> None:
    """The table in the files and the one commit that an ingestion leaves."""
    from pyarrow import parquet

    table = home.pipeline("bench").rows
    (table / "_batch=bench").mkdir(parents=True)
    files = [table / "_batch=bench" / f"part-{i:05d}.parquet" for i in range(-(-rows // FILE_ROWS))]
    for number, file in enumerate(files):
        start = number * FILE_ROWS
        write_part(make_rows(start, min(FILE_ROWS, rows - start)), file)
    add_files(table, files, with_batch(parquet.read_schema(files[0])), "append", once="bench")


def with_batch(schema: Any) -> Any:
    import pyarrow as pa

    return schema.append(pa.field("_batch", pa.string()))


def make_rows(start: int, count: int) -> Any:
    """`count` rows as an Arrow table with the hidden columns."""
    import pyarrow as pa

    rng = np.random.default_rng([7, start])
    columns: dict[str, Any] = {f"x{i}": rng.normal(size=count).round(4) for i in range(16)}
    codes = rng.integers(0, len(ZONES), (3, count))
    columns |= {f"c{i}": ZONES[codes[i]] for i in range(3)}
    noise = rng.normal(size=count)
    columns["y"] = columns["x0"] + columns["x1"] * columns["x2"] + codes[0] + noise
    hashes = rng.integers(-(2**63), 2**63 - 1, count)
    return pa.table({**columns, "_row": hashes, "_seq": np.arange(start, start + count)})


# ------------------------------------------------------------------------------------------------ memory


def watch(command: list[str], arrays: Path | None = None) -> dict[str, Any]:
    """Run a command to its end; its seconds, and the GiB of its processes when they were most.

    `arrays` is a folder that the command fills and clears away: the most GiB that lay there are told, too.
    """
    started, most = time.perf_counter(), {"Pss": 0, "Pss_Anon": 0, "Pss_File": 0, "Pss_Shmem": 0}
    kept = 0
    process = subprocess.Popen(command, env=child_environment())
    while process.poll() is None:
        used = tree_memory(process.pid)
        most = {name: max(most[name], used[name]) for name in most}
        kept = max(kept, size_of(arrays)) if arrays else 0
        time.sleep(SAMPLED)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} ended with {process.returncode}")
    names = {"Pss": "peak", "Pss_Anon": "own", "Pss_File": "mapped files", "Pss_Shmem": "shared"}
    gib = {f"{names[name]} GiB": round(kib / 2**20, 2) for name, kib in most.items()}
    files = {"arrays GiB": round(kept / 2**30, 3)} if arrays else {}
    return {"seconds": round(time.perf_counter() - started, 1), **gib, **files}


def size_of(folder: Path) -> int:
    """The bytes of a folder's files; 0 while it comes or goes."""
    try:
        return sum(file.stat().st_size for file in folder.iterdir())
    except OSError:
        return 0


def tree_memory(root: int) -> dict[str, int]:
    """KiB by kind, of a process and all below it."""
    import psutil

    total = {"Pss": 0, "Pss_Anon": 0, "Pss_File": 0, "Pss_Shmem": 0}
    try:
        processes = [psutil.Process(root), *psutil.Process(root).children(recursive=True)]
    except psutil.NoSuchProcess:
        return total
    for process in processes:
        try:
            lines = Path(f"/proc/{process.pid}/smaps_rollup").read_text().splitlines()
        except OSError:  # it has ended
            continue
        for line in lines:
            name, _, value = line.partition(":")
            if name in total:
                total[name] += int(value.split()[0])
    return total


def evaluate(folder: Path) -> None:
    """The process that evaluates: the attempt's model on its test part."""
    from pipelines.evaluation.evaluate import evaluate_model

    spec = json.loads((folder / "spec.json").read_text())
    trained = TrainedModel.model_validate_json((folder / "result.json").read_text())
    config, attempt = PipelineConfig.model_validate(spec["config"]), Attempt.model_validate(spec["attempt"])
    found = evaluate_model(config, attempt, trained)
    assert found.smoke_failure is None, found.smoke_failure  # noqa: S101


if __name__ == "__main__":
    if sys.argv[1:]:
        evaluate(Path(sys.argv[1]))
    else:
        sys.stdout.write(f"{json.dumps(run_large(1_000_000, 16_384), indent=2)}\n")
