"""53 expectations on a table, failing rows named: Great Expectations on pandas, ours, and the floor.

    python benchmarks/checks.py [--rows 1000000] [--runs 3] [--json]

20 columns; one value in a thousand of one of them is out of its range. Each way runs in a process of its own,
on the same files, best of `--runs`; imports are not counted. Seconds hold for this machine now, the
ratios are the result. The ways:

- `pandas`: Great Expectations' verdicts (BASIC: no row is named) on a frame that is in memory already,
- `pandas complete`: the same with the numbers of failing rows,
- `ours`: `validate_batch` from files to verdicts, with `failures.parquet` written,
- `duckdb`: the same counts and rows by one hand-written query from the files, without any verdict: the floor.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

NUMBERS = [f"c{i}" for i in range(16)]
WORDS = [f"k{i}" for i in range(4)]
PARTS = 4


def declared() -> Iterator[dict[str, dict[str, Any]]]:
    """20 not null, 20 ranges, 8 means, 4 sets, 1 number of rows."""
    for name in NUMBERS + WORDS:
        yield {"expect_column_values_to_not_be_null": {"column": name}}
    for name in NUMBERS:
        yield {"expect_column_values_to_be_between": {"column": name, "min_value": -20, "max_value": 20}}
    for name in NUMBERS[:4]:
        yield {"expect_column_values_to_be_between": {"column": name, "max_value": 50}}
    for name in NUMBERS[:8]:
        yield {"expect_column_mean_to_be_between": {"column": name, "min_value": -1, "max_value": 1}}
    for name in WORDS:
        yield {"expect_column_values_to_be_in_set": {"column": name, "value_set": list("abcd")}}
    yield {"expect_table_row_count_to_be_between": {"min_value": 1}}


def write_table(folder: Path, rows: int) -> None:
    """The table as ingestion stages it, in four parts."""
    import numpy as np
    import pyarrow as pa
    from pyarrow import parquet

    random = np.random.default_rng(7)
    for part in range(PARTS):
        n = rows // PARTS
        columns: dict[str, Any] = {name: random.normal(size=n) for name in NUMBERS}
        columns |= {name: random.choice(list("abcd"), size=n) for name in WORDS}
        columns[NUMBERS[3]][::1000] = 30.0
        numbers = np.arange(part * n, (part + 1) * n)
        table = pa.table({**columns, "_row": numbers, "_seq": numbers})
        parquet.write_table(table, folder / f"part-{part:05}.parquet")


# ------------------------------------------------------------------------------------------------ four ways


def on_pandas(result_format: str, folder: Path) -> Callable[[], int]:
    """Great Expectations as its documentation has it."""
    import great_expectations as gx
    import pandas as pd
    from great_expectations.data_context.types.base import ProgressBarsConfig
    from great_expectations.expectations.registry import get_expectation_impl

    frame = pd.read_parquet(folder, columns=NUMBERS + WORDS)
    kinds = [next(iter(check.items())) for check in declared()]

    def run() -> int:
        context = gx.get_context(mode="ephemeral")
        context.variables.progress_bars = ProgressBarsConfig(globally=False)
        asset = context.data_sources.add_pandas("table").add_dataframe_asset("table")
        batch = asset.add_batch_definition_whole_dataframe("table").get_batch({"dataframe": frame})
        suite = gx.ExpectationSuite("checks", [get_expectation_impl(name)(**given) for name, given in kinds])
        found = batch.validate(suite, result_format=result_format)
        return sum((result.result or {}).get("unexpected_count", 0) for result in found.results)

    return run


def ours(folder: Path) -> Callable[[], int]:
    """A batch validated as the training flow does it."""
    from pipelines.config import PipelineConfig
    from pipelines.home import Home
    from pipelines.records import Batch
    from pipelines.validation import validate_batch

    columns = {name: {"type": "number"} for name in NUMBERS} | {name: {"type": "category"} for name in WORDS}
    config = PipelineConfig(
        pipeline="checks",
        task="regression",
        metric="rmse",
        data={"source": "unused", "target": NUMBERS[0]},
        columns=columns,
        validation={"checks": list(declared())},
    )
    rows = rows_of(folder)
    batch = Batch(pipeline="checks", id="b", folder=str(folder), rows=rows, known=0, sources=[])
    return lambda: validate_batch(config, Home(folder / "home"), batch).quarantined


def rows_of(folder: Path) -> int:
    from pyarrow import parquet

    return sum(parquet.read_metadata(part).num_rows for part in folder.glob("part-*.parquet"))


def floor(folder: Path) -> Callable[[], int]:
    """What no check over these files can be quicker than, in DuckDB."""
    import duckdb

    table = f"read_parquet('{folder}/part-*.parquet')"
    outside = [f"{name} < -20 OR {name} > 20" for name in NUMBERS]
    unknown = [f"{name} NOT IN ('a', 'b', 'c', 'd')" for name in WORDS]
    counts = [f"count({name})" for name in NUMBERS + WORDS] + [f"avg({name})" for name in NUMBERS[:8]]
    counts += [f"count(*) FILTER ({condition})" for condition in outside + unknown]

    def run() -> int:
        with duckdb.connect() as connection:
            connection.execute(f"SELECT count(*), {', '.join(counts)} FROM {table}").fetchall()  # noqa: S608
            failing = f"SELECT _seq, {NUMBERS[3]} FROM {table} WHERE {outside[3]}"  # noqa: S608
            return connection.execute(failing).fetch_arrow_table().num_rows

    return run


WAYS: dict[str, Callable[[Path], Callable[[], int]]] = {
    "pandas": lambda folder: on_pandas("BASIC", folder),
    "pandas complete": lambda folder: on_pandas("COMPLETE", folder),
    "ours": ours,
    "duckdb": floor,
}


def measure(way: str, folder: Path, runs: int) -> dict[str, float]:
    """Best seconds of some runs, the rows that failed, and the process's largest size."""
    run = WAYS[way](folder)
    failed, seconds = run(), []  # a first run, that loads what is loaded late
    for _ in range(runs):
        start = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - start)
    size = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"seconds": min(seconds), "failing_rows": failed, "peak_mb": size}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    found: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        write_table(Path(folder), options.rows)
        for way in WAYS:
            with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as child:
                found[way] = child.submit(measure, way, Path(folder), options.runs).result()
            show(way, found)
    ratios = {way: found["ours"]["seconds"] / found[way]["seconds"] for way in WAYS if way != "ours"}
    if options.json:
        sys.stdout.write(json.dumps({"rows": options.rows, "ways": found, "ours_to": ratios}) + "\n")
    else:
        told = ", ".join(f"{way} {ratio:.2f}" for way, ratio in ratios.items())
        sys.stdout.write(f"ours in times of: {told}\n")


def show(way: str, found: dict[str, dict[str, float]]) -> None:
    values = found[way]
    sys.stderr.write(
        f"{way:16} {values['seconds']:7.3f} s  {values['failing_rows']:8.0f} failing rows"
        f"  {values['peak_mb']:6.0f} MB\n"
    )


if __name__ == "__main__":
    main()
