"""`evergreen audit`: the ML Test Score from the ledger's evidence; the audit log, exported and verified."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from evergreen.console import Answer, out, print_table
from pipelines.audit.report import answer_line, audit_pipeline
from pipelines.audit.scoring import Scorecard
from pipelines.config import load_config
from pipelines.errors import UsageError, writing
from pipelines.home import Home
from pipelines.ledger import Ledger
from pipelines.ledger import audit as log
from pipelines.registration import open_pipeline


def audit(
    pipeline: Annotated[str, typer.Argument(help="Name of a known pipeline, or path of its pipeline.yaml.")],
    export: Annotated[
        Path | None, typer.Option("--export", help="Write the audit log there, as JSON Lines.")
    ] = None,
    verify: Annotated[
        Path | None, typer.Option("--verify", help="An exported log: is it as it was written?")
    ] = None,
    last: Annotated[
        str | None, typer.Option(help="With --verify: a hash that the log is known to have ended with.")
    ] = None,
) -> Answer:
    """Answer the 28 tests of the ML Test Score; or export the audit log, or verify one."""
    if (export and verify) or (last and not verify):
        raise UsageError(
            "These words do not go together.", "Give --export FILE, or --verify FILE [--last HASH]."
        )
    if verify:
        return answer_verification(pipeline, verify, last)
    if export:
        return answer_export(Home.at(), pipeline, export)
    home = Home.at()
    card, page = audit_pipeline(home, open_pipeline(home, pipeline))
    answer = card.model_dump(mode="json") | {"page": str(page)}
    return answer, lambda: show_score(card, page), 0


def show_score(card: Scorecard, page: Path) -> None:
    for name, points in card.sections.items():
        lines = [answer_line(a) for a in card.answers if a.section == name]
        head = ["test", "answer", "found", "evidence, or what to do"]
        print_table(f"{name.capitalize()}: {points:g} of 7", head, lines)
    out.print(f"ML Test Score of {card.pipeline}: {card.score:g}, {card.band}.", markup=False)
    out.print(f"The page is {page}", markup=False, soft_wrap=True)


# ------------------------------------------------------------------------------------------------ the log


def answer_export(home: Home, pipeline: str, file: Path) -> Answer:
    """Write the log; its last hash is what to keep elsewhere."""
    ledger = Ledger.open(home)
    name = pipeline if pipeline in ledger.pipelines() else open_pipeline(home, pipeline).pipeline
    entries = ledger.audit_log(name)
    with writing("the audit log", file, "the log itself is in the ledger"):
        file.write_text(log.export(entries), encoding="utf-8")
    answer = {"pipeline": name, "file": str(file), "entries": len(entries), "last": log.last_hash(entries)}
    words = f"{len(entries):,} entries of {name} are in {file}. The last hash, to be kept elsewhere, is"
    return answer, lambda: out.print(f"{words}\n{answer['last']}", markup=False, soft_wrap=True), 0


def answer_verification(pipeline: str, file: Path, last: str | None) -> Answer:
    """Whether an exported log is whole: exit code 1 and its first wrong line where it is not."""
    try:
        text = file.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise UsageError(f"{file} cannot be read: {error.strerror}.", "Give a file of --export.") from error
    lines = text.splitlines()
    fault = log.find_fault(lines, last) or other_log(pipeline, lines) or unlike_ledger(Home.at(), lines)
    answer: dict[str, Any] = {"pipeline": pipeline, "file": str(file), "entries": len(lines)}
    answer |= {"intact": fault is None, "fault": fault}
    words = fault or f"{len(lines):,} entries, each as it was written."
    return answer, lambda: out.print(words, markup=False, soft_wrap=True), 1 if fault else 0


def other_log(pipeline: str, lines: list[str]) -> str | None:
    """That a log which is whole is another pipeline's; its entries name it, and it goes into their hashes."""
    name = log.AuditEntry.model_validate_json(lines[0]).pipeline if lines else pipeline
    asked = load_config(pipeline).pipeline if Path(pipeline).suffix in {".yaml", ".yml"} else pipeline
    return None if name == asked else f"Line 1: this is the log of {name}, not of {asked}."


def unlike_ledger(home: Home, lines: list[str]) -> str | None:
    """That a log which is whole is not how the log begins in the ledger of this home, where it has one."""
    if not lines:
        return "There is no entry in it."
    name = log.AuditEntry.model_validate_json(lines[0]).pipeline
    known = [one.line for one in Ledger.open(home).audit_log(name)] if home.ledger.exists() else []
    if not known or lines == known[: len(lines)]:
        return None
    number = next(
        (i for i, (a, b) in enumerate(zip(lines, known, strict=False), 1) if a != b), len(known) + 1
    )
    return f"Line {number}: {home.ledger} has another entry there, or none: one of the two was written anew."
