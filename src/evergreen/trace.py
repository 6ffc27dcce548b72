"""`evergreen trace`: from any id to everything around it, as a tree."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from evergreen.console import Answer, out, plain, value_words
from pipelines.home import Home

if TYPE_CHECKING:
    from rich.tree import Tree

    from pipelines.lineage import Trace
    from pipelines.lineage.traces import (
        TracedAttempt,
        TracedBatch,
        TracedPrediction,
        TracedSnapshot,
        TracedVersion,
    )
    from pipelines.records import Cause, SourceRead, WindowJudgment

MOST_BATCHES = 10  # of a snapshot, the newest; --json has all
MOST_SOURCES = 5  # of a batch
MOST_INPUTS = 12  # columns of a prediction


def trace(
    name: Annotated[
        str,
        typer.Argument(
            metavar="ID",
            help="A prediction, a model version (rides:3), an attempt, an MLflow run, a cause, a snapshot"
            " (rides@4), a batch, or a source file.",
        ),
    ],
    kind: Annotated[
        str | None,
        typer.Option(
            help="What is meant, where one id is of several things: prediction, version, attempt, run, cause,"
            " snapshot, batch or source."
        ),
    ] = None,
) -> Answer:
    """Go from any id to what it came from and what came of it."""
    from pipelines import lineage

    found = lineage.trace(Home.at(), name, kind)
    return found.model_dump(mode="json"), lambda: out.print(draw(found)), 0


def draw(found: Trace) -> Tree:
    """The thing asked for, what it came from below it, and what came of it at the end."""
    tree = grow(None, f"{found.kind} {found.id} of {found.pipeline}", bold=True)
    at = tree
    if found.cause:
        add_cause(at, found.cause, found.window)
    if found.prediction:
        add_prediction(at, found.prediction)
    if found.version:
        at = add_version(at, found.version)
    if found.attempt:
        at = add_attempt(at, found.attempt)
    if found.snapshot:
        at = add_snapshot(at, found.snapshot)
    add_batches(at, found.batches)
    if found.used_by:
        uses = grow(tree, "what came of it", bold=True)
        for use in found.used_by:
            below = add_attempt(uses, use.attempt)
            if use.version:
                add_version(below, use.version)
    elif found.kind in {"cause", "snapshot", "batch", "source"}:
        grow(tree, "no attempt came of it", bold=True)
    return tree


def grow(tree: Tree | None, words: str, bold: bool = False) -> Tree:
    """A line of the tree; words from data are neither markup nor control characters."""
    from rich.tree import Tree as New

    label = plain(" ".join(words.split()))
    label = f"[bold]{label}[/bold]" if bold else label
    return New(label) if tree is None else tree.add(label)


def add_prediction(tree: Tree, found: TracedPrediction) -> None:
    label = "no label yet" if found.label is None else f"label {value_words(found.label)}"
    chances = "".join(f", p({name}) {chance:.3g}" for name, chance in found.probabilities.items())
    chances += "".join(f", q({name}) {value:.3g}" for name, value in found.quantiles.items())
    line = grow(tree, f"predicted {value_words(found.value)}{chances}; {label}")
    grow(
        line, f"row of {found.time:%Y-%m-%d %H:%M}, scored {found.scored:%Y-%m-%d %H:%M} UTC, {found.channel}"
    )
    inputs = [f"{name} = {value_words(value)}" for name, value in list(found.inputs.items())[:MOST_INPUTS]]
    more = f", and {len(found.inputs) - MOST_INPUTS} more" if len(found.inputs) > MOST_INPUTS else ""
    grow(line, ", ".join(inputs) + more)


def add_version(tree: Tree, found: TracedVersion) -> Tree:
    line = grow(tree, f"model version {found.id}: {found.predictions:,} predictions logged")
    for reign in found.champion:
        until = f"{reign.until:%Y-%m-%d %H:%M}" if reign.until else "now"
        by = f", by {reign.approved_by}" if reign.approved_by else ""
        grow(line, f"champion {reign.since:%Y-%m-%d %H:%M} to {until} UTC{by}: {reign.why}")
    if not found.champion:
        grow(line, "never champion")
    return line


def add_attempt(tree: Tree, found: TracedAttempt) -> Tree:
    took = f", {sum(found.seconds.values()):.0f} s" if found.seconds else ""
    line = grow(tree, f"attempt {found.id}: {found.status}{took}, on snapshot {found.snapshot}")
    if found.run_id:
        grow(line, f"MLflow run {found.run_id}")
    if found.cause:
        grow(line, f"cause {found.cause.id} ({found.cause.kind}): {found.cause.reason}")
    for gate in found.gates:
        grow(line, f"gate {gate.name}: {gate.verdict}; {gate.reason}")
    return line


def add_cause(tree: Tree, found: Cause, window: WindowJudgment | None) -> None:
    said = "" if found.version is None else f", said of version {found.version}"
    line = grow(tree, f"{found.kind}: {found.reason} ({found.created:%Y-%m-%d %H:%M} UTC{said})")
    if window:
        span = f"{window.measure.start:%Y-%m-%d %H:%M} to {window.measure.end:%Y-%m-%d %H:%M}"
        grow(line, f"window {span}: {window.verdict}, {window.measure.rows:,} predictions")


def add_snapshot(tree: Tree, found: TracedSnapshot) -> Tree:
    rows = "" if found.rows is None else f": {found.rows:,} rows"
    mark = f", fingerprint {found.fingerprint}" if found.fingerprint else ""
    return grow(tree, f"snapshot {found.id}{rows}{mark}")


def add_batches(tree: Tree, batches: list[TracedBatch]) -> None:
    if len(batches) > MOST_BATCHES:
        grow(tree, f"{len(batches) - MOST_BATCHES} earlier batches; --json has them all")
    for batch in batches[-MOST_BATCHES:]:
        add_batch(tree, batch)


def add_batch(tree: Tree, found: TracedBatch) -> None:
    when = f" of {found.created:%Y-%m-%d %H:%M} UTC" if found.created else ""
    held = "" if found.in_snapshot is None else f"; {found.in_snapshot:,} rows in the snapshot"
    line = grow(tree, f"batch {found.id}{when}: {found.state or 'not in the ledger'}{held}")
    for words in batch_words(found):
        grow(line, words)
    for source in found.sources[:MOST_SOURCES]:
        grow(line, source_words(source))
    if len(found.sources) > MOST_SOURCES:
        grow(line, f"and {len(found.sources) - MOST_SOURCES} more sources")
    for check in found.checks:
        grow(line, f"check, {check.on_failure}: {check.message}")


def batch_words(found: TracedBatch) -> list[str]:
    """What there is to say of a batch as a whole."""
    words = [str(found.counts)] if found.counts else []
    words += [f"refused: {found.refused}"] if found.refused else []
    words += ["all rows in the form of a changed definition"] if found.rebuilt else []
    words += [f"rows back from the quarantine of {', '.join(found.rows_of)}"] if found.rows_of else []
    return words + ([f"validation report {found.page}"] if found.page else [])


def source_words(source: SourceRead) -> str:
    form = ", ".join(f"{name} {value}" for name, value in source.found.items())
    return f"source {source.uri}: {source.rows:,} rows, stamp {source.stamp}" + (f"; {form}" if form else "")
