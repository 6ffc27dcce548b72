"""Staged batches, as ingestion leaves them: parts, and what was seen while reading."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines.config import PipelineConfig
from pipelines.home import Home
from pipelines.records import Batch, ValidationReport
from pipelines.validation import validate_batch

COLUMNS = {"price": "number", "kind": "category", "seen": "time", "y": "number"}
TYPES = {"number": pa.float64(), "time": pa.timestamp("us")}
FIRST_SEQ = 1000  # of a batch that is not the first: `_seq` is no position
Validate = Callable[..., ValidationReport]


def write_parts(frame: pd.DataFrame, folder: Path, columns: dict[str, str], parts: int) -> None:
    """A frame as `parts` staged files."""
    folder.mkdir(parents=True, exist_ok=True)
    fields = [(name, TYPES.get(kind, pa.string())) for name, kind in columns.items()]
    table = pa.Table.from_pandas(frame[list(columns)], pa.schema(fields), preserve_index=False)
    numbers = pa.array(range(FIRST_SEQ, FIRST_SEQ + len(frame)), pa.int64())
    table = table.append_column("_row", numbers).append_column("_seq", numbers)
    size = max(1, -(-len(frame) // parts))
    for part in range(parts):
        pq.write_table(table.slice(part * size, size), folder / f"part-{part:05}.parquet")


def define(
    columns: dict[str, str], *checks: Any, task: str = "regression", **validation: Any
) -> PipelineConfig:
    metric = {"regression": "rmse", "binary": "auc"}[task]
    return PipelineConfig(
        pipeline="shop",
        task=task,
        metric=metric,
        data={"source": "x.csv", "target": "y", "timestamp": "seen" if "seen" in columns else None},
        columns={name: {"type": kind} for name, kind in columns.items()},
        validation={"checks": list(checks), **validation},
    )


@pytest.fixture
def frame() -> pd.DataFrame:
    n = 40
    values = {"price": [float(i % 9) for i in range(n)], "kind": ["a", "b"] * 20, "y": [1.0] * n}
    return pd.DataFrame({**values, "seen": pd.date_range("2024-01-01", periods=n)})


@pytest.fixture
def validate(tmp_path: Path, frame: pd.DataFrame) -> Validate:
    """Validate a frame, 40 sound rows unless one is given, by some checks; in three parts."""

    def run(
        *checks: Any,
        frame: pd.DataFrame = frame,
        columns: dict[str, str] = COLUMNS,
        problems: list[tuple[int, str, str, str, str]] = [],  # noqa: B006
        **more: Any,
    ) -> ValidationReport:
        folder = tmp_path / "incoming" / "b1"
        write_parts(frame, folder, columns, parts=3)
        if problems:
            names = ["_seq", "rule", "column", "found", "expected"]
            pd.DataFrame(problems, columns=names).to_parquet(folder / "problems.parquet", index=False)
        counts = {"rows": len(frame), "known": 0, "problems": len(problems)}
        batch = Batch(pipeline="shop", id="b1", folder=str(folder), sources=[], **counts)
        return validate_batch(define(columns, *checks, **more), Home(tmp_path / "home"), batch)

    return run


def failing(report: ValidationReport) -> list[int]:
    """The positions, from 0, of the rows that go to quarantine."""
    if report.failures_path is None:
        return []
    return sorted({int(seq) - FIRST_SEQ for seq in pd.read_parquet(report.failures_path)["_seq"]})


def reasons(report: ValidationReport, position: int) -> list[str]:
    """Why one row goes to quarantine."""
    assert report.failures_path is not None
    failures = pd.read_parquet(report.failures_path)
    return sorted(failures.loc[failures["_seq"] == FIRST_SEQ + position, "reason"])
