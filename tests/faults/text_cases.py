"""Text tables: empty, ragged, quoted, cut and encoded in every way."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from pipelines.errors import DataError, DataRefused
from tests.faults.frame import FARES, Case, Form, Writer, file, to_csv


def lines(rows: pd.DataFrame) -> list[str]:
    return to_csv(rows).splitlines(keepends=True)


def with_line(number: int, text: str) -> Any:
    """The good rows with that line, from 1, in place of their own."""

    def content(rows: pd.DataFrame) -> str:
        all_lines = lines(rows)
        return "".join([*all_lines[: number - 1], text + "\n", *all_lines[number:]])

    return content


def written(**options: Any) -> Any:
    """The good rows as pandas writes them with these options."""
    return lambda rows: to_csv(rows, **options)


def encoded(encoding: str, before: bytes = b"") -> Any:
    return lambda rows: before + to_csv(rows).encode(encoding)


def writer(encoding: str = "utf-8", **options: Any) -> Writer:
    def write(path: Path, frame: pd.DataFrame) -> None:
        path.write_text(to_csv(frame, **options), encoding=encoding)

    return write


def with_zone(zone: str) -> Any:
    """The good rows, the first of them in another zone."""
    return lambda rows: rows.assign(zone=[zone, *rows["zone"][1:]])


SEMICOLONS = Form("semicolons", write=writer(sep=";"), definition={"data": {"format": {"delimiter": ";"}}})
COMMAS = Form("decimal commas", write=writer(sep=";", decimal=","))
UTF8 = Form("utf-8 declared", definition={"data": {"format": {"encoding": "utf-8"}}})
UTF16 = Form(
    "utf-16 declared", write=writer("utf-16"), definition={"data": {"format": {"encoding": "utf-16"}}}
)

EMPTY = [
    Case("empty file", file(lambda rows: ""), DataError, (r"delivery\.csv is empty: 0 bytes",)),
    Case(
        "blank lines only", file(lambda rows: "\n\r\n  \n"), DataError, (r"delivery\.csv is empty: no line",)
    ),
    Case("header only", file(lambda rows: lines(rows)[0]), DataError, ("column names and no rows",)),
    Case("one row", file(lambda rows: to_csv(rows[:1])), accepted=1, read_as=lambda rows: rows[:1]),
]

LINES = [
    Case(
        "row too short",
        file(with_line(4, "2025-04-01,Mitte,1.0")),
        DataError,
        (r"delivery\.csv, line 4: 3 cells where 5 columns were expected",),
    ),
    Case(
        "row too long",
        file(with_line(61, "2025-04-01,Mitte,1.0,2,yes,no")),
        DataError,
        (r"delivery\.csv, line 61: 6 cells where 5 columns were expected",),
    ),
    Case(
        "a line of totals below",
        file(lambda rows: to_csv(rows) + "Total: 60 rows\n"),
        DataError,
        (r"delivery\.csv, line 62: 1 cell where 5 columns were expected",),
    ),
    Case(
        "a line of comment above",
        file(lambda rows: "# exported on Monday\n" + to_csv(rows)),
        DataError,
        (r"delivery\.csv", "exported on Monday"),
    ),
    Case(
        "header again in the middle",
        file(lambda rows: "".join([*lines(rows)[:31], *lines(rows)[:1], *lines(rows)[31:]])),
        DataRefused,
        ("target_has_two_classes on late: found classes .*'late' \\(1 rows\\)",),
        refused=61,
    ),
    Case(
        "header again in the middle, where the target is a number",
        file(lambda rows: "".join([*lines(rows)[:31], *lines(rows)[:1], *lines(rows)[31:]])),
        accepted=60,
        quarantined=1,
        form=FARES,
        says=("value_is_readable on minutes: 1 of 61 rows .*'minutes'",),
    ),
    Case(
        "unbalanced quote",
        file(with_line(3, '2025-04-01,"Mitte,1.0,2,yes')),
        DataError,
        (r'delivery\.csv, line 3: a quote \("\) opens and is not closed to the end',),
    ),
    Case(
        "quoted newlines",
        file(lambda rows: to_csv(with_zone("Mit\nte")(rows))),
        accepted=60,
        read_as=with_zone("Mit\nte"),
        says=(r"in_set on zone: 1 of 60 rows",),
    ),
    Case(
        "mixed line ends",
        file(
            lambda rows: "".join(
                line.replace("\n", end) for line, end in zip(lines(rows), ["\n", "\r\n"] * 31, strict=False)
            )
        ),
        accepted=60,
    ),
    Case("bare CR", file(written(lineterminator="\r")), accepted=60),
    Case(
        "NUL bytes",
        file(lambda rows: to_csv(rows).encode()[:-40] + b"\0" * 40),
        DataError,
        (r"delivery\.csv is not text: it has a NUL byte at [\d,]+, line 6\d",),
    ),
]

DELIMITERS = [
    Case("semicolons found", file(written(sep=";")), accepted=60),
    Case("tabs found", file(written(sep="\t")), accepted=60),
    Case("bars found", file(written(sep="|")), accepted=60),
    Case(
        "wrong delimiter declared",
        file(to_csv),
        DataError,
        (r"delivery\.csv", r"delimiter"),
        form=SEMICOLONS,
    ),
    Case(
        "decimal commas not declared",
        file(written(sep=";", decimal=",")),
        DataRefused,
        (
            r"of rides, from \S+/delivery\.csv, was refused: ",
            r"value_is_readable on distance: 60 of 60 rows",
            r"a finite number; is it format\.decimal: ','\?",
        ),
        refused=60,
    ),
    Case("decimal commas declared", file(written(sep=";", decimal=",")), accepted=60, form=COMMAS),
]

ENCODINGS = [
    Case("UTF-16 with a mark", file(encoded("utf-16")), accepted=60),
    Case("UTF-16 without a mark", file(encoded("utf-16-le")), accepted=60),
    Case("UTF-16 the other way round", file(encoded("utf-16-be", b"\xfe\xff")), accepted=60),
    Case("byte order mark", file(encoded("utf-8-sig")), accepted=60),
    Case("latin-1", file(encoded("latin-1")), accepted=60),
    Case(
        "cp1252",
        file(lambda rows: to_csv(with_zone("Süd €")(rows)).encode("cp1252")),
        accepted=60,
        read_as=with_zone("Süd €"),
    ),
    Case(
        "latin-1 where UTF-8 is declared",
        file(encoded("latin-1")),
        DataError,
        (r"delivery\.csv is not utf-8: .* at byte [\d,]+", r"format\.encoding"),
        form=UTF8,
    ),
    Case(
        "UTF-8 where UTF-16 is declared",
        file(encoded("utf-8")),
        DataError,
        (r"delivery\.csv", "utf-16", r"format\.encoding"),
        form=UTF16,
    ),
    Case(
        "UTF-8 cut within a letter",
        file(lambda rows: to_csv(with_zone("Süd")(rows)).encode().partition(b"\xbc")[0]),
        DataError,
        (r"delivery\.csv",),
        form=UTF8,
    ),
]

CASES = [*EMPTY, *LINES, *DELIMITERS, *ENCODINGS]
