"""`evergreen data`: the versions of a pipeline's data, what each looks like, and what changed between two."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from evergreen.console import Answer, out, print_table
from pipelines.errors import UsageError
from pipelines.home import Home
from pipelines.markdown import make_visible
from pipelines.registration import open_pipeline

if TYPE_CHECKING:
    from pipelines.config import PipelineConfig
    from pipelines.data.statistics.comparison import ColumnDifference, SnapshotDifference
    from pipelines.data.statistics.counting import ColumnStatistics
    from pipelines.data.statistics.table_statistics import TableStatistics
    from pipelines.data.storage.retention import Vacuumed
    from pipelines.data.storage.versions import StoredVersion

LONGEST = 60  # characters of a cell
MOST_VALUES = 5  # of a column


class Action(StrEnum):
    list = "list"
    show = "show"
    diff = "diff"
    vacuum = "vacuum"


WANTED = {Action.list: (0, 0), Action.show: (0, 1), Action.diff: (2, 2), Action.vacuum: (0, 0)}


def data(
    pipeline: Annotated[str, typer.Argument(help="Name of a known pipeline, or path of its pipeline.yaml.")],
    action: Annotated[
        Action,
        typer.Argument(
            help="list: the versions; show: a version's columns; diff: what changed from one to another;"
            " vacuum: let versions older than data.retention go, but for those of live models."
        ),
    ],
    versions: Annotated[
        list[str] | None,
        typer.Argument(metavar="[VERSION]...", help="As 3 or rides@3: one for show, two for diff."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Vacuum: only say what would go.")] = False,
) -> Answer:
    """Look at the versions of a pipeline's data."""
    home, names = Home.at(), versions or []
    least, most = WANTED[action]
    if not least <= len(names) <= most:
        wanted = str(least) if least == most else f"{least} or {most}"
        raise UsageError(
            f"data {action} takes {wanted} versions, and {len(names)} are named.",
            f"`evergreen data {pipeline} list` lists them.",
        )
    config = open_pipeline(home, pipeline)
    if action == Action.list:
        return answer_list(home, config)
    if action == Action.vacuum:
        return answer_vacuum(home, config, dry_run)
    if action == Action.diff:
        return answer_diff(home, config, names)
    return answer_show(home, config, names[0] if names else None)


def answer_list(home: Home, config: PipelineConfig) -> Answer:
    from pipelines.data.storage.versions import list_versions

    found = list_versions(home, config.pipeline)
    answer = {"pipeline": config.pipeline, "versions": [v.model_dump(mode="json") for v in found]}
    return answer, lambda: show_list(config.pipeline, found), 0


def answer_show(home: Home, config: PipelineConfig, name: str | None) -> Answer:
    from pipelines.data.statistics.table_statistics import version_statistics
    from pipelines.data.storage.versions import find_version

    version = find_version(home, config.pipeline, name)
    found = version_statistics(home, config, version)
    title = f"{config.pipeline}@{version}"
    return {"snapshot": title, **found.model_dump(mode="json")}, lambda: show_columns(title, found), 0


def answer_diff(home: Home, config: PipelineConfig, names: list[str]) -> Answer:
    from pipelines.data.statistics.comparison import compare_snapshots
    from pipelines.data.statistics.table_statistics import version_statistics
    from pipelines.data.storage.versions import find_version

    versions = [find_version(home, config.pipeline, name) for name in names]
    before, after = (version_statistics(home, config, version) for version in versions)
    found = compare_snapshots(before, after)
    ids = [f"{config.pipeline}@{version}" for version in versions]
    answer: dict[str, Any] = {"from": ids[0], "to": ids[1], **found.model_dump(mode="json")}
    return answer, lambda: show_difference(" to ".join(ids), found), 0


def answer_vacuum(home: Home, config: PipelineConfig, dry_run: bool) -> Answer:
    from pipelines.data.storage.retention import vacuum_snapshots
    from pipelines.lock import one_at_a_time

    with one_at_a_time(home, config.pipeline):
        found = vacuum_snapshots(home, config, dry_run)
    answer = {"pipeline": config.pipeline, "dry_run": dry_run, **found.model_dump(mode="json")}
    return answer, lambda: show_vacuumed(found, dry_run), 0


# ------------------------------------------------------------------------------------------------ for people


def show_list(pipeline: str, found: list[StoredVersion]) -> None:
    if not found:
        out.print(f"{pipeline} has no data yet; `evergreen train {pipeline}` takes some in.", markup=False)
        return
    head = ["version", "written (UTC)", "rows", "batches", "from", "quarantined", ""]
    rows = (
        [
            v.version,
            f"{v.written:%Y-%m-%d %H:%M:%S}",
            f"{v.rows:,}",
            few(v.batches),
            few(v.sources),
            f"{v.quarantined:,}",
            "" if v.complete else "vacuumed",
        ]
        for v in found
    )
    print_table(f"Snapshots of {pipeline}", head, rows)


def show_columns(title: str, found: TableStatistics) -> None:
    head = ["column", "type", "missing", "distinct", "mean", "std", "range", "with target", "most frequent"]
    rows = (
        [
            short(name),
            c.type,
            share(c.missing, c.rows),
            f"{c.distinct:,}",
            c.mean,
            c.std,
            span(c),
            "" if c.correlation is None else f"{c.correlation:+.2f}",
            frequent(c),
        ]
        for name, c in found.columns.items()
    )
    print_table(f"{title}: {found.rows:,} rows, target {short(found.target)}", head, rows)


def show_difference(title: str, found: SnapshotDifference) -> None:
    more = found.rows_after - found.rows_before
    out.print(f"{title}: {found.rows_before:,} rows, then {found.rows_after:,} ({more:+,}).", markup=False)
    lines = [
        *(f"New column: {short(name)}" for name in found.added),
        *(f"Column gone: {short(name)}" for name in found.gone),
        *(f"Another type: {short(name)}, {a} and then {b}" for name, (a, b) in found.retyped.items()),
    ]
    for line in lines:
        out.print(line, markup=False)
    head = ["column", "distance", "missing", "distinct", "mean", "range"]
    print_table(
        "Columns, the most different first (distance 0 to 1)", head, map(difference_row, found.columns)
    )


def difference_row(column: ColumnDifference) -> list[object]:
    a, b = column.before, column.after
    return [
        short(column.name),
        "" if column.distance is None else f"{column.distance:.3f}",
        change(share(a.missing, a.rows), share(b.missing, b.rows)),
        change(f"{a.distinct:,}", f"{b.distinct:,}"),
        "" if a.mean is None or b.mean is None else change(f"{a.mean:.4g}", f"{b.mean:.4g}"),
        change(span(a), span(b)),
    ]


def show_vacuumed(found: Vacuumed, dry_run: bool) -> None:
    verb = "would be" if dry_run else "were"
    gone = ", ".join(map(str, found.gone)) or "none"
    out.print(f"{found.files:,} files {verb} removed. Versions that cannot be read without them: {gone}.")
    out.print(f"Kept: {', '.join(map(str, found.kept)) or 'none'}.")


def change(before: str, after: str) -> str:
    return before if before == after else f"{before} > {after}"


def few(names: list[str]) -> str:
    """The last part of the first name, and how many there are beside it."""
    more = f" and {len(names) - 1:,} more" if len(names) > 1 else ""
    return f"{short(names[0].rstrip('/').rpartition('/')[2] or names[0])}{more}" if names else ""


def short(text: object) -> str:
    """The text on one line, cut where it is long; control characters are shown, not obeyed."""
    words = make_visible(" ".join(str(text)[: 4 * LONGEST].split()))
    return words if len(words) <= LONGEST else f"{words[: LONGEST - 1]}…"


def share(part: int, whole: int) -> str:
    return "" if not part else f"{part / whole:.1%}" if part / whole >= 0.001 else f"{part:,} rows"


def span(column: ColumnStatistics) -> str:
    """From the least value to the most."""
    if column.least is None or column.most is None:
        return ""
    ends = [column.least, column.most]
    words = [f"{end:.6g}" for end in ends] if column.type == "number" else [moment(end) for end in ends]
    return " to ".join(words)


def moment(seconds: float) -> str:
    try:
        return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M}".removesuffix(" 00:00")
    except (OverflowError, ValueError, OSError):  # beyond the calendar
        return f"{seconds:.6g} s"


def frequent(column: ColumnStatistics) -> str:
    """The most frequent values with their shares."""
    counted = sorted(zip(column.counts, column.values, strict=False), key=lambda pair: -pair[0])
    words = [
        f"{short(value) if isinstance(value, str) else f'{value:g}'} {count / column.rows:.0%}"
        for count, value in counted[:MOST_VALUES]
    ]
    rest = len(column.values) - len(words)
    return ", ".join(words) + (", .." if rest > 0 or (words and column.other) else "")
