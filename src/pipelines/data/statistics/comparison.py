"""How far data moved: a batch from the snapshot before it, and one snapshot from another.

Distances are total variation distances, from 0 (the same shares) to 1 (nothing in common): the share of the
rows that would have to change their bin.
"""

from __future__ import annotations

import math
from itertools import pairwise
from pathlib import Path

from pipelines.config import ColumnType, PipelineConfig
from pipelines.data.columns import type_of
from pipelines.data.statistics.counting import (
    Bins,
    ColumnStatistics,
    count_columns,
    count_rows,
    draw_sample,
    opened,
    outcome,
    sample_size,
)
from pipelines.data.statistics.table_statistics import TableStatistics
from pipelines.records import Batch, Record

TELLING = 0.2  # |correlation| with the target from which a column tells something of it
OPPOSITE = 0.1  # and, with the other sign, from which it tells the opposite
OTHER, MISSING = -1, -2
Shares = dict[int | str, float]


class BatchDrift(Record):
    """A batch against a snapshot: the distance of each column that the model sees, and of the target.

    `telling`: columns that tell of the target in the snapshot and can be judged in the batch; `reversed`:
    those of them that tell the opposite there.
    """

    rows: int
    distances: dict[str, float]
    reversed: list[str]
    telling: int


class ColumnDifference(Record):
    """One column before and after; `distance`: an estimate where the bins differ, None for times, texts."""

    name: str
    distance: float | None
    before: ColumnStatistics
    after: ColumnStatistics


class SnapshotDifference(Record):
    """What changed from one snapshot to another; `columns` are those of both, the most different first."""

    rows_before: int
    rows_after: int
    added: list[str]
    gone: list[str]
    retyped: dict[str, tuple[ColumnType, ColumnType]]
    columns: list[ColumnDifference]


# ------------------------------------------------------------------------------------------------ a batch


def measure_drift(config: PipelineConfig, batch: Batch, reference: TableStatistics) -> BatchDrift:
    """Count the batch's parts in the bins of the reference.

    Missing is a bin, and so are values beyond the edges and values not known. Times, texts and keys have no
    distance: they grow. Neither have columns that the reference has not, or has in another type.
    """
    columns = comparable(config, reference)
    files = sorted(str(path) for path in Path(batch.folder).glob("part-*.parquet"))
    if not files or not columns:
        return BatchDrift(rows=batch.rows, distances={}, reversed=[], telling=0)
    target = config.data.target
    bins = {name: bins_of(reference.columns[name]) for name in columns}
    with opened(files, columns) as connection:
        rows = count_rows(connection)
        if rows <= sample_size(len(columns)):  # read once; a wide file would be opened for each scan
            draw_sample(connection, rows, len(columns))
        found = count_columns(connection, columns, bins, outcome(columns, target, reference.positive))
        if not rows:
            return BatchDrift(rows=0, distances={}, reversed=[], telling=0)
    correlations = {
        name: (before, after)
        for name, column in found.items()
        if (before := reference.columns[name].correlation) is not None
        and (after := column.correlation) is not None
        and abs(before) >= TELLING
        and name != target
    }
    return BatchDrift(
        rows=rows,
        distances={
            name: distance(
                shares(reference.columns[name]), shares_within(found[name], reference.columns[name])
            )
            for name in columns
        },
        reversed=[
            name
            for name, (before, after) in correlations.items()
            if before * after < 0 and abs(after) >= OPPOSITE
        ],
        telling=len(correlations),
    )


def comparable(config: PipelineConfig, reference: TableStatistics) -> dict[str, ColumnType]:
    """The features and the target whose shares are to stay alike."""
    kinds = {name: type_of(name, config) for name in [*config.feature_columns, config.data.target]}
    return {
        name: kind
        for name, kind in kinds.items()
        if kind in {"number", "category"}
        and name not in config.data.key
        and name in reference.columns
        and reference.columns[name].type == kind
    }


def bins_of(column: ColumnStatistics) -> Bins:
    """The column's bins, and one below and one above them."""
    if not column.edges:
        return Bins(values=column.values)
    return Bins(cuts=[math.nextafter(column.edges[0], -math.inf), *column.edges[1:]])


def shares(column: ColumnStatistics) -> Shares:
    """The share of each bin, by its place, of other values and of missing ones."""
    return normal({**dict(enumerate(column.counts)), OTHER: column.other, MISSING: column.missing})


def shares_within(column: ColumnStatistics, reference: ColumnStatistics) -> Shares:
    """The shares of a column that was counted in `bins_of(reference)`: what is outside them is other."""
    inside = column.counts[1:-1] if reference.edges else column.counts if reference.values else []
    outside = column.other + sum(column.counts) - sum(inside)
    return normal({**dict(enumerate(inside)), OTHER: outside, MISSING: column.missing})


def normal(counts: Shares) -> Shares:
    whole = sum(counts.values())
    return {key: count / whole for key, count in counts.items()} if whole else {}


def distance(a: Shares, b: Shares) -> float:
    """Total variation distance of two distributions."""
    return min(1.0, math.fsum(abs(a.get(key, 0.0) - b.get(key, 0.0)) for key in a.keys() | b.keys()) / 2)


# ------------------------------------------------------------------------------------------------ snapshots


def compare_snapshots(a: TableStatistics, b: TableStatistics) -> SnapshotDifference:
    """What changed from `a` to `b`."""
    both = [name for name in a.columns if name in b.columns]
    retyped = {
        name: (a.columns[name].type, b.columns[name].type)
        for name in both
        if a.columns[name].type != b.columns[name].type
    }
    columns = [
        ColumnDifference(name=name, distance=estimate(before, after), before=before, after=after)
        for name in both
        if name not in retyped
        for before, after in [(a.columns[name], b.columns[name])]
    ]
    return SnapshotDifference(
        rows_before=a.rows,
        rows_after=b.rows,
        added=[name for name in b.columns if name not in a.columns],
        gone=[name for name in a.columns if name not in b.columns],
        retyped=retyped,
        columns=sorted(columns, key=lambda c: -1.0 if c.distance is None else c.distance, reverse=True),
    )


def estimate(a: ColumnStatistics, b: ColumnStatistics) -> float | None:
    """The distance of two columns of one type, in the bins of the first that has edges."""
    if a.type not in {"number", "category"} or not a.rows or not b.rows:
        return None
    if a.edges or b.edges:
        edges = a.edges or b.edges
        return distance(rebinned(a, edges), rebinned(b, edges))
    return distance(by_value(a), by_value(b))


def by_value(column: ColumnStatistics) -> Shares:
    counts: Shares = dict(zip(map(str, column.values), column.counts, strict=True))
    return normal({**counts, OTHER: column.other, MISSING: column.missing})


def rebinned(column: ColumnStatistics, edges: list[float]) -> Shares:
    """A column's shares in other bins, as if its values lay evenly within its own."""
    limits = [math.nextafter(edges[0], -math.inf), *edges[1:]]
    reached = [up_to(column, limit) for limit in limits]
    inside: Shares = dict(enumerate(after - before for before, after in pairwise(reached)))
    outside = sum(column.counts) - (reached[-1] - reached[0])
    return normal({**inside, OTHER: outside + column.other, MISSING: column.missing})


def up_to(column: ColumnStatistics, limit: float) -> float:
    """About how many of a column's values are `limit` or less."""
    if not column.edges:
        return sum(n for value, n in zip(column.values, column.counts, strict=True) if float(value) <= limit)
    total = 0.0
    for (low, high), count in zip(pairwise(column.edges), column.counts, strict=True):
        part = 1.0 if limit >= high else 0.0 if limit < low else (limit - low) / (high - low)
        total += part * count
    return total
