"""Ingestion against the bare copy of DuckDB and pyarrow, and how time and memory grow with the rows.

    python benchmarks/ingestion.py [--rows 1000000] [--runs 3]
    python benchmarks/ingestion.py --grow 1000000 50000000

Without --grow: a table of 20 columns, as Parquet and as CSV, is taken into an empty pipeline (read,
converted, fingerprinted, compared with what is held, staged, made a Delta version) and, in the same run,
copied to Parquet by DuckDB and by pyarrow. With --grow: a Parquet table of 22 columns in files of a million
rows is taken in, validated with 24 checks and profiled, each size in a process of its own whose peak memory
is measured.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

FILE_ROWS = 1_000_000


def columns_of(numbers: int) -> dict[str, str]:
    """Sixteen or more numbers, three categories, a time."""
    names = {f"x{i}": "number" for i in range(numbers)}
    return {**names, "c0": "category", "c1": "category", "c2": "category", "t": "time"}


def make_table(rows: int, numbers: int, seed: int) -> Any:
    import numpy as np
    import pyarrow as pa

    rng = np.random.default_rng(seed)
    columns: dict[str, Any] = {f"x{i}": rng.normal(size=rows).round(4) for i in range(numbers)}
    columns |= {f"c{i}": rng.choice(["north", "south", "east", "west"], rows) for i in range(3)}
    second = np.timedelta64(1, "s")
    columns["t"] = np.datetime64("2020-01-01", "us") + (np.arange(rows) + seed * rows) * second
    return pa.table(columns)


def define(source: Path, numbers: int) -> Any:
    from pipelines.config import PipelineConfig

    columns, zones = columns_of(numbers), ["north", "south", "east", "west"]
    checks: list[dict[str, Any]] = [
        {"expect_column_values_to_be_between": {"column": name, "min_value": -9, "max_value": 9}}
        for name, kind in columns.items()
        if kind == "number"
    ]
    checks += [
        {"expect_column_values_to_be_in_set": {"column": f"c{i}", "value_set": zones}} for i in range(3)
    ]
    checks += [{"expect_column_values_to_not_be_null": {"column": name}} for name in ("x0", "c0", "t")]
    return PipelineConfig.model_validate(
        {
            "pipeline": "bench",
            "task": "regression",
            "metric": "rmse",
            "data": {"source": str(source), "target": "x0", "timestamp": "t"},
            "columns": {name: {"type": kind} for name, kind in columns.items()},
            "validation": {"checks": checks},
        }
    )


def timed(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


# ------------------------------------------------------------------------------------------ against copies


def take_in(source: Path, numbers: int, home: Path) -> None:
    from pipelines.data.ingestion.batches import stage_batch
    from pipelines.data.storage.snapshots import accept_batch
    from pipelines.home import Home
    from pipelines.records import ValidationReport

    batch = stage_batch(define(source, numbers), Home(home))
    said = ValidationReport(pipeline="bench", batch=batch.id, rows=batch.rows, quarantined=0, results=[])
    accept_batch(Home(home), batch, said)


def copy_by_duckdb(source: Path, copy: Path) -> None:
    import duckdb

    duckdb.sql(f"COPY (SELECT * FROM '{source}') TO '{copy}' (FORMAT parquet)")  # noqa: S608


def copy_by_pyarrow(source: Path, copy: Path) -> None:
    from pyarrow import csv, parquet

    table = csv.read_csv(source) if source.suffix == ".csv" else parquet.read_table(source)
    parquet.write_table(table, copy)


def against_copies(rows: int, runs: int, folder: Path) -> dict[str, dict[str, float]]:
    """Seconds of the fastest of `runs`, each way, and ours as a share of the copies' speed."""
    from pyarrow import csv, parquet

    table = make_table(rows, 16, 0)
    parquet.write_table(table, folder / "t.parquet")
    csv.write_csv(table, folder / "t.csv")
    return {name: race(folder / f"t.{name}", runs, folder) for name in ("parquet", "csv")}


def race(source: Path, runs: int, folder: Path) -> dict[str, float]:
    best = {"duckdb": 1e9, "pyarrow": 1e9, "evergreen": 1e9}
    copy, home = folder / "copy.parquet", folder / "home"
    ways = {
        "duckdb": lambda: copy_by_duckdb(source, copy),
        "pyarrow": lambda: copy_by_pyarrow(source, copy),
        "evergreen": lambda: take_in(source, 16, home),
    }
    for _ in range(runs):
        best = {way: min(best[way], timed(work)) for way, work in ways.items()}
        shutil.rmtree(home)
    return best | {f"speed against {way}": best[way] / best["evergreen"] for way in ("duckdb", "pyarrow")}


# ------------------------------------------------------------------------------------------------ growing


def whole_way(source: str, home: str, answer: Any) -> None:
    """Ingest, validate and profile in this process; seconds by step and the peak of memory, in GiB."""
    import resource

    from pipelines.data.ingestion.batches import stage_batch
    from pipelines.data.statistics.table_statistics import snapshot_statistics
    from pipelines.data.storage.snapshots import accept_batch
    from pipelines.home import Home
    from pipelines.validation.batch import validate_batch

    config, place, seconds = define(Path(source), 18), Home(Path(home)), {}
    start = time.perf_counter()
    batch = stage_batch(config, place)
    seconds["stage"] = time.perf_counter() - start
    report = validate_batch(config, place, batch)
    seconds["validate"] = time.perf_counter() - start - sum(seconds.values())
    snapshot = accept_batch(place, batch, report)
    seconds["accept"] = time.perf_counter() - start - sum(seconds.values())
    snapshot_statistics(place, snapshot, config)
    seconds["profile"] = time.perf_counter() - start - sum(seconds.values())
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1 << 20)
    answer.put({"rows": snapshot.rows, "quarantined": report.quarantined, **seconds, "peak GiB": peak})


def grow(sizes: list[int], folder: Path) -> list[dict[str, float]]:
    from pyarrow import parquet

    found = []
    for size in sizes:
        source = folder / f"source-{size}"
        source.mkdir()
        for number in range(max(1, size // FILE_ROWS)):
            table = make_table(min(size, FILE_ROWS), 18, number)
            parquet.write_table(table, source / f"{number:04d}.parquet")
        context = multiprocessing.get_context("spawn")
        answer = context.Queue()
        worker = context.Process(target=whole_way, args=(str(source), str(folder / f"home-{size}"), answer))
        worker.start()
        found.append(answer.get())
        worker.join()
        shutil.rmtree(source)
        shutil.rmtree(folder / f"home-{size}")
        sys.stderr.write(f"{json.dumps(found[-1])}\n")
    for line in found:
        total = sum(line[step] for step in ("stage", "validate", "accept", "profile"))
        line |= {"seconds": total, "seconds a million": total / line["rows"] * 1e6}
    return found


def main() -> None:
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=raw)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--grow", type=int, nargs="*", metavar="ROWS")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="evergreen-bench-") as name:
        folder = Path(name)
        copies = not asked.grow
        found: Any = against_copies(asked.rows, asked.runs, folder) if copies else grow(asked.grow, folder)
    sys.stdout.write(f"{json.dumps(found, indent=2)}\n")


if __name__ == "__main__":
    main()
