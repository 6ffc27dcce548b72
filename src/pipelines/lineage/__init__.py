"""From any id to everything around it: what it came from, and what came of it. Nothing has to run for it."""

from __future__ import annotations

from typing import Any

from pipelines.home import Home
from pipelines.lineage.around import Around
from pipelines.lineage.places import find_place
from pipelines.lineage.traces import Kind, Trace

__all__ = ["Kind", "Trace", "trace"]


def trace(home: Home, asked: str, kind: str | None = None) -> Trace:
    """Everything around an id, up to the source files and down to the predictions.

    `asked` is an id of any kind (see `Kind`), with `PIPELINE:` in front where that is needed.
    Raises UsageError where nothing has this id, or several things have.
    """
    place = find_place(home, asked, kind)
    around = Around(home, place.pipeline)
    found: dict[str, Any] = getattr(around, f"of_{place.kind}")(place.id)
    return Trace(kind=place.kind, id=place.id, pipeline=place.pipeline, **found)
