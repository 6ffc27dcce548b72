"""What an id means: every thing that the ledger names, under all the spellings that people meet."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import get_args

from pipelines.data.tracing import find_prediction
from pipelines.errors import UsageError
from pipelines.home import Home
from pipelines.ledger import Ledger
from pipelines.lineage.traces import Kind

SHORTEST = 4  # characters that stand for a whole id
MOST_NAMED = 8  # candidates in one message
MLFLOW = "models:/"  # as MLflow spells `models:/rides/3`
HINT = (
    "Ids are of a prediction, a model version (rides:3), an attempt, an MLflow run, a cause,"
    " a snapshot (rides@4), a batch, or a source file; `evergreen history PIPELINE` lists them."
)


@dataclass(frozen=True)
class Place:
    """One thing under its full `id`; `also` has the shorter spellings of it."""

    kind: Kind
    pipeline: str
    id: str
    also: tuple[str, ...] = ()

    @property
    def full(self) -> str:
        """The spelling that no other pipeline has."""
        own = self.id.startswith((f"{self.pipeline}:", f"{self.pipeline}@", f"{self.pipeline}-"))
        return self.id if own else f"{self.pipeline}:{self.id}"

    def spelt(self, asked: str) -> bool:
        """Whether `asked`, with or without the pipeline in front, is this thing."""
        return any(self.named(words) for words in (asked, *without_pipeline(asked, self.pipeline)))

    def named(self, words: str) -> bool:
        """A source also by the end of its address, from the file's name on."""
        by_end = self.kind == "source" and words and self.id.endswith("/" + words.removeprefix("./"))
        return bool(by_end) or words in {self.id, *self.also}

    def starts(self, asked: str) -> bool:
        return self.kind != "source" and any(name.startswith(asked) for name in (self.id, *self.also))


def without_pipeline(asked: str, pipeline: str) -> list[str]:
    """What is left of `rides:3` or `rides/3` for the pipeline `rides`."""
    return [asked[len(pipeline) + 1 :]] if asked.startswith((f"{pipeline}:", f"{pipeline}/")) else []


def find_place(home: Home, asked: str, kind: str | None = None) -> Place:
    """The one thing that `asked` names: by its whole id, else by the start of it.

    Raises UsageError where there is none, or several.
    """
    if kind is not None and kind not in get_args(Kind):
        raise UsageError(f"{kind!r} is no kind of id.", f"Kinds: {', '.join(get_args(Kind))}.")
    asked = asked.strip().removeprefix(MLFLOW)
    pipelines = Ledger.open(home).pipelines()
    places = [
        place for name in pipelines for place in ledger_places(home, name) if kind in (None, place.kind)
    ]
    spellings = {asked, os.path.abspath(asked), os.path.realpath(asked)} if asked else set()
    found = [place for place in places if any(place.spelt(words) for words in spellings)]
    if not found and asked and kind in (None, "prediction"):
        found = list(predictions(home, pipelines, asked))
    if not found and len(asked) >= SHORTEST:
        found = [place for place in places if place.starts(asked)]
    if len(found) == 1:
        return found[0]
    raise several(asked, found) if found else nothing(asked, places)


def ledger_places(home: Home, pipeline: str) -> Iterator[Place]:
    """All that the ledger names of a pipeline."""
    ledger = Ledger.open(home)
    versions = set()
    for one in ledger.attempts(pipeline):
        yield Place("attempt", pipeline, one.id, (one.id.removeprefix(f"{pipeline}-"),))
        versions.add(one.attempt.snapshot.version)
        if one.version is not None:
            short = (str(one.version), f"v{one.version}")
            yield Place("version", pipeline, f"{pipeline}:{one.version}", short)
        if one.outcome and (run := one.outcome.model.get("run_id")):
            yield Place("run", pipeline, str(run))
    for cause in ledger.causes(pipeline):
        yield Place("cause", pipeline, cause.id)
    sources = set()
    for intake in ledger.intakes(pipeline):
        yield Place("batch", pipeline, intake.batch.id)
        sources |= {source.uri for source in intake.batch.sources}
        versions |= set() if intake.version is None else {intake.version}
    yield from (Place("snapshot", pipeline, f"{pipeline}@{version}") for version in sorted(versions))
    yield from (Place("source", pipeline, uri) for uri in sorted(sources))


def predictions(home: Home, pipelines: Iterable[str], asked: str) -> Iterator[Place]:
    """The prediction logs that have this id."""
    for name in pipelines:
        for words in (asked, *without_pipeline(asked, name)):
            if find_prediction(home, name, words):
                yield Place("prediction", name, words)


def several(asked: str, found: list[Place]) -> UsageError:
    """Which things `asked` may mean; the same spelling in two kinds is told apart by --kind."""
    named = "; ".join(f"{place.kind} {place.full!r}" for place in found[:MOST_NAMED])
    more = f"; and {len(found) - MOST_NAMED} more" if len(found) > MOST_NAMED else ""
    return UsageError(
        f"{asked!r} may be one of {len(found)}: {named}{more}.",
        "Give one of these, or say which --kind is meant.",
    )


def nothing(asked: str, places: list[Place]) -> UsageError:
    """Nothing has this id; what comes near is named."""
    spellings = {name: place for place in places for name in (place.id, *place.also, Path(place.id).name)}
    near = {
        spellings[name].full: spellings[name].kind for name in get_close_matches(asked, spellings, 4, 0.7)
    }
    meant = " or ".join(f"{kind} {name!r}" for name, kind in near.items())
    hint = f"Did you mean {meant}? " if meant else ""
    return UsageError(f"Nothing here has the id {asked!r}.", hint + HINT)
