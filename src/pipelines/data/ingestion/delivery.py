"""One source, read from beginning to end into a batch that is being staged."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pipelines.config import PipelineConfig
from pipelines.data.columns import type_of
from pipelines.data.ingestion.schema import doubtful_days, match_columns, new_columns
from pipelines.data.ingestion.staging import Staging, rows_per_part
from pipelines.data.ingestion.watermarks import Watermarks
from pipelines.data.sources import Source, open_source
from pipelines.records import SourceRead

if TYPE_CHECKING:
    from pipelines.data.ingestion.rebuilding import Rebuild


def read_source(
    source: Source,
    config: PipelineConfig,
    staging: Staging,
    watermarks: Watermarks | None = None,
    again: Rebuild | None = None,
) -> tuple[SourceRead, list[str]]:
    """Stage every row of a source as one delivery; what was read, and what should be said of it."""
    first, trail = staging.seq, watermarks.trail(source) if watermarks else None
    after, see = (trail.after, trail.see) if trail else (None, None)
    with open_source(source, config.data.format, after, see) as reading:
        found, notes = match_columns(reading.names, config, source.name)
        numbers = frozenset(theirs for name, theirs in found.items() if is_number(name, config, again))
        for table in reading.tables(numbers, rows_per_part(len(config.columns))):
            if staging.seq == first:
                notes += new_columns(table, found, source.name)
                notes += doubtful_days(table, found, config, source.name)
            mine = rename(table, found)
            if again:
                again.take(table, mine)
            else:
                staging.add(mine)
        facts = {**reading.found, **dates(found, config), "order": order_of(reading.names, found, config)}
    if again:
        again.end_delivery()
    staging.end_delivery()
    rows = staging.seq - first
    read = SourceRead(uri=source.uri, stamp=source.stamp, rows=rows, bytes=source.bytes, found=facts)
    if trail:
        return read.model_copy(update={"watermark": trail.mark}), notes + trail.notes
    return read, notes


def is_number(name: str, config: PipelineConfig, again: Rebuild | None) -> bool:
    """Whether a column may be read as numbers at once: not where its text may be wanted, too."""
    return type_of(name, config) == "number" and (again is None or again.was_number(name))


def rename(table: Any, found: dict[str, str]) -> Any:
    """The table's columns that the definition has, under its names."""
    return table.select(list(found.values())).rename_columns(list(found))


def dates(found: dict[str, str], config: PipelineConfig) -> dict[str, str]:
    """How dates such as 3/12/2016 are read, where there are times; 2016-12-03 is read as it stands."""
    if not any(type_of(name, config) == "time" for name in found):
        return {}
    return {"dates": "day first" if config.data.format.day_first else "month first"}


def order_of(names: list[str], found: dict[str, str], config: PipelineConfig) -> str:
    """Whether the columns stand as in the definition; they are read by name, so it does not matter."""
    places = [names.index(found[name]) for name in config.columns if name in found]
    return "as in the definition" if places == sorted(places) else "another than in the definition"
