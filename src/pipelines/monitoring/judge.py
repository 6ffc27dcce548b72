"""The verdict on a window, from its stored measure alone: pure, so it is tested by a table of cases."""

from __future__ import annotations

from pipelines.config import Monitoring
from pipelines.records import ColumnDrift, Drift, Quality, WindowMeasure, WindowVerdict

PREDICTION = "_prediction"
NAMED = 5  # columns that a reason names


def judge_window(
    measure: WindowMeasure, monitoring: Monitoring, higher_is_better: bool
) -> tuple[WindowVerdict, str]:
    """The verdict with its reason: too few rows, then lost quality, then drift; else healthy."""
    if measure.rows < monitoring.minimum_rows:
        return (
            "insufficient",
            f"{measure.rows} rows are fewer than the {monitoring.minimum_rows} that a verdict needs.",
        )
    quality = describe_quality(measure.quality, measure.labelled)
    if measure.quality and has_degraded(measure.quality, monitoring.quality_tolerance, higher_is_better):
        bound = f"all of the interval is more than {monitoring.quality_tolerance:.0%} worse than expected"
        return "degraded", f"{quality}: {bound}. {describe_drift(measure.drift)}"
    if measure.drift and has_drifted(measure.drift, monitoring.drifted_share):
        why = f"alarm from {monitoring.drifted_share:.0%} of the columns, or the prediction"
        return "drift", f"{describe_drift(measure.drift)} ({why}) {quality}."
    return "healthy", f"{quality}. {describe_drift(measure.drift)}"


def has_degraded(quality: Quality, tolerance: float, higher_is_better: bool) -> bool:
    """Whether even the kind end of the realised interval is worse than expected beyond the tolerance."""
    allowed = tolerance * abs(quality.expected)
    if higher_is_better:
        return quality.realised.high < quality.expected - allowed
    return quality.realised.low > quality.expected + allowed


def has_drifted(drift: Drift, share: float) -> bool:
    """Whether the prediction moved, or at least `share` of the columns; a column's tests count once."""
    moved = drifted_columns(drift)
    features = {column.column for column in drift.columns} - {PREDICTION}
    return PREDICTION in moved or (bool(moved) and len(moved) >= share * len(features))


def drifted_columns(drift: Drift) -> list[str]:
    """The columns that moved by any of their tests, the furthest beyond its threshold first."""
    moved = sorted((c for c in drift.columns if c.drifted), key=excess, reverse=True)
    return list(dict.fromkeys(column.column for column in moved))


def excess(column: ColumnDrift) -> float:
    """How many times its threshold a score is."""
    return column.score / max(column.threshold, 1e-9)


def describe_quality(quality: Quality | None, labelled: int) -> str:
    """The realised metric in words and numbers."""
    if quality is None:
        return f"Quality is unknown ({labelled} labelled rows)"
    low, high = quality.realised.low, quality.realised.high
    found = f"{quality.metric} {quality.realised.value:.4g} (95 % from {low:.4g} to {high:.4g})"
    return f"{found} on {quality.labelled} labelled rows, expected {quality.expected:.4g}"


def describe_drift(drift: Drift | None) -> str:
    """Which columns moved, and how far, in words and numbers."""
    if drift is None or not drift.columns:
        return "Drift was not measured."
    worst: dict[str, ColumnDrift] = {}
    for column in sorted(drift.columns, key=excess):
        worst[column.column] = column
    moved = drifted_columns(drift)
    if not moved:
        return f"None of {len(worst)} columns moved."
    words = ", ".join(f"{name} ({describe_score(worst[name])})" for name in moved[:NAMED])
    more = f" and {len(moved) - NAMED} more" if len(moved) > NAMED else ""
    return f"{len(moved)} of {len(worst)} columns moved: {words}{more}."


def describe_score(column: ColumnDrift) -> str:
    return f"{column.method} {column.score:.2f} > {column.threshold:.2f}"
