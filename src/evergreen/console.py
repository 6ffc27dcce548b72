"""What a person, or a script, sees: answers on standard output, everything else on standard error."""

from __future__ import annotations

import contextlib
import functools
import inspect
import json
import logging
import sys
import traceback
from collections.abc import Callable, Iterable
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from evergreen.stack import connect
from pipelines.environment import HOME_VARIABLE, home_folder, set_environment, silence_telemetry
from pipelines.errors import EvergreenError, UsageError


class Terminal(Console):
    """Whatever text it is given, of data or people, no control character reaches the terminal."""

    def print(self, *objects: Any, **options: Any) -> None:
        super().print(*(harmless(one) if isinstance(one, str) else one for one in objects), **options)


def harmless(text: str) -> str:
    """Text without control characters but line breaks."""
    return "".join(c for c in text if c.isprintable() or c == "\n")


out = Terminal(highlight=False)
err = Terminal(stderr=True, highlight=False, soft_wrap=True)

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object; logs go to standard error.")]
HomeFolder = Annotated[
    Path | None,
    typer.Option("--home", help="Folder of all state [default: $EVERGREEN_HOME, else .evergreen here]."),
]
Debug = Annotated[bool, typer.Option("--debug", help="Show tracebacks and Prefect's own log.")]

# What a command returns: its JSON, how to print it for a person, and the exit code.
Answer = tuple[dict[str, Any], Callable[[], None], int]

# Of a training, by the status of its outcome.
EXIT_CODES = {
    "promoted": 0,
    "reused": 0,
    "awaiting_approval": 0,
    "refused": 3,
    "rejected": 4,
    "inconclusive": 4,
    "failed": 1,
    "reverted": 1,
}

# Typer's own error for words that do not fit; Typer exports only this child of it.
WrongWords: Any = typer.BadParameter.__base__


def run_command(app: typer.Typer) -> None:
    """Run the command line of this process; with --json, words that do not fit are answered in JSON, too."""
    if "--json" not in sys.argv:
        app()
    try:
        code = app(standalone_mode=False)
    except WrongWords as error:
        usage = UsageError(error.format_message(), "`--help` lists what can be said.")
        code = fail(usage, "UsageError", json_output=True, debug=False)
    sys.exit(code)


def command(app: typer.Typer) -> Callable[[Callable[..., Answer]], Callable[..., None]]:
    """Register a function as a command: it gets --json, --home and --debug, and its errors become answers."""

    def register(function: Callable[..., Answer]) -> Callable[..., None]:
        @functools.wraps(function)
        def run(*args: Any, json_output: bool, home: Path | None, debug: bool, **kwargs: Any) -> None:
            def work() -> Answer:
                prepare(home, debug)
                return function(*args, **kwargs)

            raise typer.Exit(respond(work, json_output, debug))

        extra = {"json_output": (AsJson, False), "home": (HomeFolder, None), "debug": (Debug, False)}
        own = list(inspect.signature(function, eval_str=True).parameters.values())
        added = [
            inspect.Parameter(n, inspect.Parameter.KEYWORD_ONLY, annotation=a, default=d)
            for n, (a, d) in extra.items()
        ]
        run.__signature__ = inspect.Signature(own + added)  # type: ignore[attr-defined]
        run.__annotations__ = {p.name: p.annotation for p in own + added}
        app.command()(run)
        return run

    return register


def prepare(home: Path | None, debug: bool) -> None:
    """Set home, telemetry switches and logging, before any heavy package is imported."""
    from pipelines.home import Home

    silence_telemetry()
    set_environment({HOME_VARIABLE: str(home_folder(home))})
    if not debug:
        # Prefect's own lines go to its UI alone; ours are printed here.
        set_environment(
            {
                "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "CRITICAL",
                "PREFECT_LOGGING_TO_API_WHEN_MISSING_FLOW": "ignore",
            }
        )
    try:
        connect(Home.at())
    except OSError as error:
        raise UsageError(
            f"{Home.at().root} cannot be the home folder: {error.strerror}.", "Give another --home."
        ) from error
    show_progress()


class ProgressHandler(logging.Handler):
    """Our log lines, dimmed, with the seconds since the start; epochs are a bar where a terminal shows it."""

    def __init__(self) -> None:
        super().__init__()
        self._bars: EpochBars | None = None

    def emit(self, record: logging.LogRecord) -> None:
        row = getattr(record, "epoch", None)
        if row is not None and err.is_terminal:
            self._bars = self._bars or EpochBars()
            self._bars.show(row)
            return
        self.stop_bars()  # the training is over, or begins anew
        err.print(f"[dim]{record.relativeCreated / 1000:6.1f} s[/dim]  ", end="")
        err.print(record.getMessage(), markup=False)

    def stop_bars(self) -> None:
        if self._bars is not None:
            self._bars.stop()
            self._bars = None


class EpochBars:
    """A bar for each model that is being trained: epochs, loss, metric, samples per second, time left."""

    def __init__(self) -> None:
        from rich.progress import BarColumn, Progress, TextColumn
        from rich.table import Column

        name = TextColumn("{task.description}", table_column=Column(no_wrap=True))
        columns = (name, BarColumn(bar_width=12), TextColumn("{task.fields[words]}"))
        self._progress = Progress(*columns, console=err, transient=True)
        self._models: dict[str, Any] = {}
        self._progress.start()

    def show(self, row: dict[str, Any]) -> None:
        """Draw the state that an epoch told."""
        name = row["model"]
        if name not in self._models:
            self._models[name] = self._progress.add_task(plain(name), words="")
        self._progress.update(
            self._models[name], completed=row["epoch"], total=row["epochs"], words=bar_words(row)
        )

    def stop(self) -> None:
        self._progress.stop()


def bar_words(row: dict[str, Any]) -> str:
    """An epoch in so few words that they fit beside a bar."""
    words = [f"{row['epoch']} of {row['epochs']}", f"loss {row['loss']:.4g}"]
    if row.get("score") is not None:
        words.append(f"{row['metric']} {row['score']:.4g}")
    words.append(f"{row['samples_per_second']:,}/s")
    if row.get("left"):
        words.append(f"{timedelta(seconds=round(row['left']))} left")
    return plain("  ".join(words))


def stop_bars() -> None:
    """Take away what is drawn: an answer follows."""
    for handler in logging.getLogger("evergreen").handlers:
        if isinstance(handler, ProgressHandler):
            handler.stop_bars()


def show_progress() -> None:
    """Print what the stages say."""
    logger = logging.getLogger("evergreen")
    logger.setLevel(logging.INFO)
    if not any(isinstance(h, ProgressHandler) for h in logger.handlers):
        logger.addHandler(ProgressHandler())


def respond(work: Callable[[], Answer], json_output: bool, debug: bool) -> int:
    """Run a command and print its answer or its error; the exit code."""
    try:
        with contextlib.redirect_stdout(sys.stderr):  # whatever a library prints is no answer
            try:
                answer, show, code = work()
            finally:
                stop_bars()
    except EvergreenError as error:
        return fail(error, type(error).__name__, json_output, debug)
    except KeyboardInterrupt:
        return fail(EvergreenError("Interrupted."), "Interrupted", json_output, debug)
    except Exception as error:  # noqa: BLE001  (a traceback is no answer)
        wrapped = EvergreenError(f"{type(error).__name__}: {error}", "`--debug` shows where.")
        return fail(wrapped, type(error).__name__, json_output, debug)
    if json_output:
        sys.stdout.write(json.dumps(answer, default=str) + "\n")
    else:
        show()
    return code


def fail(error: EvergreenError, kind: str, json_output: bool, debug: bool) -> int:
    """Print an error as an answer; its exit code."""
    if debug:
        traceback.print_exc()
    if json_output:
        sys.stdout.write(
            json.dumps({"error": {"type": kind, "message": error.message, "hint": error.hint}}) + "\n"
        )
    err.print("[bold red]Error[/bold red]  ", end="")
    err.print(error.message, markup=False)
    if error.hint:
        err.print(f"       {error.hint}", markup=False, style="dim")
    return error.exit_code


def print_table(title: str, head: list[str], rows: Iterable[Iterable[object]]) -> None:
    """A table for a person; text from data is not read as markup."""
    table = Table(title=plain(title), title_justify="left", title_style="bold", header_style="dim")
    for name in head:
        table.add_column(name, overflow="fold")
    for row in rows:
        table.add_row(*(plain(cell) for cell in row))
    out.print(table)


def plain(cell: object) -> str:
    """Text for the terminal: what looks like markup is shown, control characters are left out."""
    from rich.markup import escape

    text = "" if cell is None else f"{cell:.4g}" if isinstance(cell, float) else str(cell)
    return escape(harmless(text))


def value_words(value: object) -> str:
    """A value of the data in a sentence, as exact as it is useful; `nothing` where there is none."""
    return "nothing" if value is None else f"{value:.6g}" if isinstance(value, float) else str(value)


def require_stack(running: bool) -> None:
    """Raise UsageError where the local stack is needed and does not run."""
    if not running:
        raise UsageError("The local stack is not running.", "`evergreen up` starts it.")
