"""Validate a staged batch: measure, decide, and write the failing rows beside it."""

from __future__ import annotations

from pathlib import Path
from threading import Lock

from pipelines.config import PipelineConfig
from pipelines.home import Home
from pipelines.records import Batch, ValidationReport
from pipelines.validation.builtin import measure_builtin
from pipelines.validation.decide import decide_batch, fewest_bad, surely_refused
from pipelines.validation.drift import measure_against_last
from pipelines.validation.rows import Broken, list_failures, write_failures
from pipelines.validation.staged import Staged, open_staged

# Two validations of one process would use twice the memory, and no less time.
ONE_AT_A_TIME = Lock()


def validate_batch(config: PipelineConfig, home: Home, batch: Batch) -> ValidationReport:
    """Judge a batch by the pipeline's checks; a refused batch is an answer, not an exception.

    Of a batch that is not refused, failing rows are written to `failures.parquet` beside it: `_seq` (int64)
    and `reason` (string), a line for each row and broken rule. Memory is bounded, whatever the rows.
    Raises ConfigError for a check that cannot exist, DataError for an unreadable batch.
    """
    folder = Path(batch.folder)
    (folder / "failures.parquet").unlink(missing_ok=True)  # of an earlier validation of the same batch
    if batch.rows == 0:
        return ValidationReport(pipeline=batch.pipeline, batch=batch.id, rows=0, quarantined=0, results=[])
    with ONE_AT_A_TIME, open_staged(config, folder) as staged:
        broken = [*measure_builtin(config, staged), *measure_declared(config, staged)]
        compared = measure_against_last(config, home, batch)
        return conclude(config, batch, staged, [*broken, *map(Broken, compared)])


def measure_declared(config: PipelineConfig, staged: Staged) -> list[Broken]:
    """The findings of the declared checks; without checks nothing heavy is imported."""
    if not config.validation.checks:
        return []
    from pipelines.validation.measure import measure_checks

    return measure_checks(config, staged)


def conclude(config: PipelineConfig, batch: Batch, staged: Staged, broken: list[Broken]) -> ValidationReport:
    """The decision. Rows are named only where counts alone do not refuse the batch."""
    most = config.validation.most_quarantined
    if batch.replays:  # these few are no sample of the data, and what fails again only waits on
        broken = [rule for rule in broken if rule.finding.unexpected is not None or rule.finding.error]
        most = 1.0
    findings = [rule.finding for rule in broken]
    table, bad = None, fewest_bad(findings)
    if bad and not surely_refused(batch.rows, findings, most):
        table, bad = list_failures(staged, broken)
    outcome = decide_batch(batch.rows, findings, bad, most)
    path = write_failures(staged, table) if table and outcome.refused is None else None
    return ValidationReport(
        pipeline=batch.pipeline,
        batch=batch.id,
        rows=batch.rows,
        quarantined=outcome.quarantined,
        results=outcome.results,
        refused=outcome.refused,
        warnings=outcome.warnings,
        failures_path=str(path) if path else None,
    )
