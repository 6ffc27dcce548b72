"""Validate a staged batch: read it, measure, decide, and write the failing rows beside it."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.config import PipelineConfig
from pipelines.errors import DataError
from pipelines.records import Batch, ValidationReport
from pipelines.validation.decide import Finding, decide_batch

if TYPE_CHECKING:
    import pandas as pd

HIDDEN = ["_row", "_nth"]  # the store's own columns, which no check may see


def validate_batch(config: PipelineConfig, batch: Batch) -> ValidationReport:
    """Judge a batch by the pipeline's checks; a refused batch is an answer, not an exception.

    Failing rows are written to `failures.parquet` beside the batch: position (int64, from 0), reason
    (string), a line for each row and broken rule. Raises ConfigError for a check that cannot exist, DataError
    for an unreadable batch.
    """
    if batch.rows == 0:
        return ValidationReport(pipeline=batch.pipeline, batch=batch.id, rows=0, quarantined=0, results=[])
    frame = read_batch(Path(batch.path))
    findings = [require_target(config, frame), *measure(config, frame)]
    outcome = decide_batch(len(frame), findings, config.validation.most_quarantined)
    return ValidationReport(
        pipeline=batch.pipeline,
        batch=batch.id,
        rows=len(frame),
        quarantined=outcome.quarantined,
        results=outcome.results,
        refused=outcome.refused,
        warnings=outcome.warnings,
        failures_path=write_failures(Path(batch.path).parent, outcome.failures),
    )


def read_batch(path: Path) -> pd.DataFrame:
    """The user's columns of a staged batch, rows numbered from 0."""
    import pandas as pd

    try:
        frame = pd.read_parquet(path)
    except (OSError, ValueError) as error:
        raise DataError(
            f"{path}: the staged batch cannot be read: {error}.", "Ingest its source again."
        ) from error
    return frame.drop(columns=HIDDEN, errors="ignore").reset_index(drop=True)


def measure(config: PipelineConfig, frame: pd.DataFrame) -> list[Finding]:
    """The findings of the declared checks; without checks nothing heavy is imported."""
    if not config.validation.checks:
        return []
    from pipelines.validation.expectations import measure_checks

    return measure_checks(config, frame)


def require_target(config: PipelineConfig, frame: pd.DataFrame) -> Finding:
    """The built-in rule: a row without its target teaches nothing, but can be repaired: quarantine."""
    target = config.data.target
    rule = partial(Finding, rule="target_is_present", column=target, expected="the target to be present")
    if target not in frame:
        return rule(on_failure="fail", passed=False, observed=f"columns {', '.join(map(str, frame))}")
    positions = tuple(int(position) for position in frame.index[frame[target].isna()])
    values = ("nothing",) * len(positions)
    return rule(on_failure="quarantine", passed=not positions, positions=positions, values=values)


def write_failures(folder: Path, failures: list[tuple[int, str]]) -> str | None:
    """Write failing rows with their reasons, by position; None, and no file, where no row failed."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = folder / "failures.parquet"
    if not failures:
        path.unlink(missing_ok=True)  # of an earlier validation of the same batch
        return None
    positions, reasons = zip(*sorted(failures), strict=True)
    table = pa.table({"position": pa.array(positions, pa.int64()), "reason": pa.array(reasons, pa.string())})
    unfinished = path.with_suffix(".tmp")
    pq.write_table(table, unfinished)
    unfinished.replace(path)
    return str(path)
