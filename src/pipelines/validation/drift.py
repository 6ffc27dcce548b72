"""A batch beside the last accepted snapshot: whether columns are as before, and labels not flipped."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.config import DriftCheck, PipelineConfig
from pipelines.home import Home
from pipelines.records import Batch
from pipelines.validation.decide import Finding
from pipelines.validation.words import shorten

if TYPE_CHECKING:
    from pipelines.data.statistics.comparison import BatchDrift

FEWEST_TELLING = 2  # one column that turned may be chance, unless it is the only one


def measure_against_last(config: PipelineConfig, home: Home, batch: Batch) -> list[Finding]:
    """The findings of the drift check; none where it is off, for few rows, and before the first snapshot.

    Rows that come back from quarantine were there for being unlike the others: they are not compared.
    """
    check = config.validation.drift
    if check is None or batch.rows < check.minimum_rows or batch.replays:
        return []
    from pipelines.data.statistics.comparison import measure_drift
    from pipelines.data.statistics.table_statistics import snapshot_statistics
    from pipelines.data.storage.snapshots import current_snapshot

    snapshot = current_snapshot(home, batch.pipeline)
    if snapshot is None:
        return []
    drift = measure_drift(config, batch, snapshot_statistics(home, snapshot, config))
    return judge_drift(check, drift, config.data.target, snapshot.id)


def judge_drift(check: DriftCheck, drift: BatchDrift, target: str, snapshot: str) -> list[Finding]:
    """One finding for each column that moved too far, or one that none did; and one about the labels."""
    if drift.rows < check.minimum_rows:
        return []
    expected = f"at most {check.most:g} from snapshot {snapshot}"
    moved = {name: far for name, far in drift.distances.items() if far > check.most}
    findings = [
        Finding(
            "column_is_like_before",
            name,
            check.on_failure,
            f"{expected}; if the world changed so, raise validation.drift.most",
            passed=False,
            observed=f"distance {far:.2f}",
        )
        for name, far in sorted(moved.items(), key=lambda item: -item[1])
    ]
    if drift.distances and not moved:
        findings.append(Finding("column_is_like_before", None, check.on_failure, expected, passed=True))
    return [*findings, judge_labels(check, drift, target, snapshot)] if drift.telling else findings


def judge_labels(check: DriftCheck, drift: BatchDrift, target: str, snapshot: str) -> Finding:
    """Whether most columns that told of the target now tell the opposite, as when labels are flipped."""
    turned, telling = len(drift.reversed), drift.telling
    flipped = turned > telling / 2 and (turned >= FEWEST_TELLING or turned == telling)
    observed = f"{turned} of {telling} columns that tell of {target} tell the opposite"
    return Finding(
        "labels_agree_with_before",
        target,
        check.reversed,
        f"{target} to go with the other columns as in snapshot {snapshot}: see that labels are not flipped",
        passed=not flipped,
        observed=f"{observed}: {shorten(', '.join(drift.reversed))}" if turned else observed,
    )
