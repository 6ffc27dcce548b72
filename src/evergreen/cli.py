"""The command `evergreen`."""

from __future__ import annotations

import getpass
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from evergreen import views
from evergreen.approval import approve, reject
from evergreen.audit import audit
from evergreen.console import EXIT_CODES, Answer, command, err, harmless, out, require_stack, run_command
from evergreen.data import data
from evergreen.explain import explain
from evergreen.history import history
from evergreen.quarantine import ingest, quarantine
from evergreen.reproduce import reproduce
from evergreen.trace import trace
from pipelines.home import Home

app = typer.Typer(
    name="evergreen",
    help="Train a model on a table that grows, let it in when the evidence says so, watch it, train it again"
    " when it fails.",
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
)

Pipeline = Annotated[str, typer.Argument(help="Name of a known pipeline, or path of its pipeline.yaml.")]
Reason = Annotated[str | None, typer.Option(help="Why, in words, for the history.")]
By = Annotated[str | None, typer.Option(help="Who decides, for the history [default: the user].")]
Input = Annotated[Path, typer.Option("--input", help="CSV or Parquet file to read.")]


def main() -> None:
    """Entry point of the command."""
    run_command(app)


def known(pipeline: str) -> str:
    """The pipeline's name, once its definition is read: a mistake is answered before Prefect is imported."""
    from pipelines.registration import open_pipeline

    return open_pipeline(Home.at(), pipeline).pipeline


def say(text: str) -> None:
    err.print(text, style="dim", markup=False)


@command(app)
def init(
    data: Annotated[str, typer.Argument(help="File, folder, glob, web or S3 address, or database URL.")],
    target: Annotated[str, typer.Option(help="The column to predict.")],
    timestamp: Annotated[str | None, typer.Option(help="The column that says when.")] = None,
    out: Annotated[Path, typer.Option(help="Where to write the definition.")] = Path("pipeline.yaml"),
    table: Annotated[str | None, typer.Option(help="Of a database: the table to read.")] = None,
    query: Annotated[str | None, typer.Option(help="Of a database: the query to read, instead.")] = None,
) -> Answer:
    """Look at a table and write a commented definition of a pipeline for it."""
    from pipelines.data.definition.proposal import init_definition

    result = init_definition(data, target, timestamp, out, table, query)
    return result.model_dump(mode="json"), lambda: views.show_init(result), 0


@command(app)
def up() -> Answer:
    """Start the local stack: Prefect server and worker, MLflow, Ray, prediction service."""
    from evergreen import stack

    started = stack.up(Home.at(), say)
    return {"endpoints": started.endpoints}, lambda: views.show_endpoints(started.endpoints), 0


@command(app)
def down() -> Answer:
    """Stop the local stack."""
    from evergreen import stack

    stopped = stack.down(Home.at(), say)
    return {"stopped": stopped}, lambda: out.print(f"Stopped: {', '.join(stopped) or 'nothing ran'}."), 0


@command(app)
def status() -> Answer:
    """What runs where, and how each pipeline does."""
    answer = views.describe_status(Home.at())
    return answer, lambda: views.show_status(answer), 0


@command(app)
def apply(pipelines: Annotated[list[Path], typer.Argument(help="Paths of pipeline.yaml files.")]) -> Answer:
    """Create or update a pipeline's deployments, schedules and automation in Prefect."""
    from evergreen import apply as deployments
    from evergreen.stack import read_stack
    from pipelines.registration import open_pipeline

    home = Home.at()
    configs = [open_pipeline(home, str(path)) for path in pipelines]
    require_stack(read_stack(home).running)
    names = {config.pipeline: deployments.apply(config) for config in configs}
    return {"deployments": names}, lambda: views.show_deployments(names), 0


@command(app)
def train(
    pipeline: Pipeline,
    data: Annotated[
        str | None, typer.Option(help="File, folder or glob to add to the pipeline's data first.")
    ] = None,
    reason: Reason = None,
) -> Answer:
    """Train a challenger, and promote it if it passes the gates."""
    name = known(pipeline)
    from flows.training import training

    outcome = training(name, data=data, reason=reason)
    answer = outcome.model_dump(mode="json")
    return answer, lambda: views.show_outcome(outcome), EXIT_CODES[outcome.status]


def person(by: str | None) -> str:
    """Who decides: as given, else the operating system's user."""
    return harmless(by or "").strip() or getpass.getuser()


@command(app)
def deploy(
    pipeline: Pipeline,
    version: Annotated[int | None, typer.Option(help="A registered version [default: the champion].")] = None,
    reason: Reason = None,
    by: By = None,
) -> Answer:
    """Make a registered version champion and serve it; without one, alias and service follow the champion."""
    name = known(pipeline)
    from flows.serving import deploy as flow

    champion = flow(name, version=version, reason=reason, by=person(by))
    answer = {"pipeline": name, "version": champion.version if champion else None}
    words = (
        f"Version {champion.version} of {name} is champion."
        if champion
        else f"The alias champion of {name} is taken away in MLflow; {name} has no champion yet."
    )
    return answer, lambda: out.print(words, markup=False), 0


@command(app)
def rollback(
    pipeline: Pipeline,
    version: Annotated[int | None, typer.Option(help="An earlier champion [default: the last one].")] = None,
    reason: Reason = None,
    by: By = None,
) -> Answer:
    """Go back to an earlier champion whose columns the data still has."""
    name = known(pipeline)
    from flows.serving import rollback as flow

    champion = flow(name, version=version, reason=reason, by=person(by))
    answer: dict[str, Any] = {"pipeline": champion.pipeline, "version": champion.version}
    words = f"Version {champion.version} of {champion.pipeline} is champion again."
    return answer, lambda: out.print(words), 0


@command(app)
def score(
    pipeline: Pipeline,
    input: Input,
    output: Annotated[Path, typer.Option("--output", help="CSV or Parquet file to write.")],
) -> Answer:
    """Score a file with the champion; every row is logged for monitoring."""
    name = known(pipeline)
    from flows.scoring import scoring

    result = scoring(name, str(input), str(output))
    words = f"{result.rows:,} rows scored with version {result.version}: {result.output}"
    return result.model_dump(mode="json"), lambda: out.print(words, markup=False), 0


@command(app)
def labels(pipeline: Pipeline, input: Input) -> Answer:
    """Take in the true values of earlier predictions, by prediction id."""
    name = known(pipeline)
    from flows.scoring import labelling

    result = labelling(name, str(input))
    words = (
        f"{result.matched:,} labels matched a prediction, {result.unmatched:,} did not,"
        f" {result.corrected:,} were corrected."
    )
    return result.model_dump(mode="json"), lambda: out.print(words), 0


@command(app)
def monitor(
    pipeline: Pipeline,
    since: Annotated[
        datetime | None, typer.Option(help="Judge windows that end after this moment, again if need be.")
    ] = None,
    until: Annotated[
        datetime | None, typer.Option(help="Judge windows that start before this moment.")
    ] = None,
) -> Answer:
    """Judge the windows of logged predictions that are due."""
    name = known(pipeline)
    from flows.monitoring import monitoring

    judgments = monitoring(name, since=since, until=until)
    lines = [views.window_line(j) for j in judgments]
    return {"windows": lines}, lambda: views.show_windows(lines), 0


@command(app)
def report(
    pipeline: Pipeline,
    version: Annotated[int | None, typer.Option(help="The page of this version of the model.")] = None,
    output: Annotated[Path | None, typer.Option("--output", help="Where to write the page.")] = None,
) -> Answer:
    """Write one page that tells the story of a pipeline, or all that is known of one version."""
    from pipelines.reporting.gather import write_report
    from pipelines.reporting.model.gather import write_version

    if version is None:
        path = write_report(Home.at(), pipeline, output)
    else:
        path = write_version(Home.at(), pipeline, version, output)
    return {"report": str(path)}, lambda: out.print(f"The report is {path}", markup=False), 0


command(app)(approve)
command(app)(reject)
command(app)(audit)
command(app)(data)
command(app)(explain)
command(app)(history)
command(app)(ingest)
command(app)(quarantine)
command(app)(reproduce)
command(app)(trace)
