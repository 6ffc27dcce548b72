"""Files: cut short, damaged, misnamed, packed, no tables, or not there."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import os
import pickle
import threading
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd

from pipelines.errors import DataError
from tests.faults.frame import Case, Deliver, Pipeline, file, to_csv


def parquet(rows: pd.DataFrame) -> bytes:
    return bytes(rows.to_parquet(index=False))


def damaged(content: bytes) -> bytes:
    """The middle third overwritten."""
    third = len(content) // 3
    return content[:third] + b"\xa5" * third + content[2 * third :]


def packed(rows: pd.DataFrame) -> bytes:
    return gzip.compress(to_csv(rows).encode())


def json_lines(rows: pd.DataFrame, **odd: Any) -> list[str]:
    """An object a line; the third has other values for some keys."""
    objects = json.loads(rows.assign(at=rows["at"].astype(str)).to_json(orient="records"))
    objects[2] |= odd
    return [json.dumps(value, ensure_ascii=False) + "\n" for value in objects]


def zipped(rows: pd.DataFrame) -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as archive:
        archive.writestr("xl/workbook.xml", to_csv(rows))
    return held.getvalue()


class Intruder:
    """What a pickle runs when it is loaded: here it makes a file."""

    def __init__(self, mark: Path) -> None:
        self.mark = str(mark)

    def __reduce__(self) -> tuple[Callable[..., object], tuple[str, str]]:
        return open, (self.mark, "w")


def pickled(protocol: int) -> Deliver:
    def deliver(pipeline: Pipeline) -> Path:
        path = pipeline.inbox / "delivery.csv"
        path.write_bytes(pickle.dumps(Intruder(pipeline.inbox / "intruded"), protocol))
        return path

    return deliver


def assert_not_run(pipeline: Pipeline) -> None:
    assert not (pipeline.inbox / "intruded").exists()
    pickle.loads((pipeline.inbox / "delivery.csv").read_bytes()).close()  # noqa: S301 - it would have
    assert (pipeline.inbox / "intruded").exists()


def named(name: str, make: Callable[[Path, pd.DataFrame], object]) -> Deliver:
    """Something of this name, made there."""

    def deliver(pipeline: Pipeline) -> Path:
        path = pipeline.inbox / name
        make(path, pipeline.rows)
        return path

    return deliver


def make_folder(path: Path, rows: pd.DataFrame) -> None:
    path.mkdir()
    (path / "a.csv").write_text(to_csv(rows[:30]))
    (path / "b.csv.gz").write_bytes(packed(rows[30:]))
    (path / "notes.md").write_text("not a table")
    (path / ".hidden.csv").write_text("half a tab")


def make_folder_with_one_bad(path: Path, rows: pd.DataFrame) -> None:
    make_folder(path, rows)
    (path / "c.csv").write_text(to_csv(rows)[:-5])


def keep_writing(path: Path, rows: pd.DataFrame) -> None:
    """A writer of its own, which adds a letter each millisecond."""
    text = to_csv(rows)
    begun = len(text) // 2
    path.write_text(text[:begun])

    def write() -> None:
        with path.open("a") as opened:
            for letter in text[begun:]:
                opened.write(letter)
                opened.flush()
                time.sleep(0.001)
        (path.parent / "written").touch()

    threading.Thread(target=write, daemon=True).start()


def take_in_once_written(pipeline: Pipeline) -> None:
    """The same file, whole: all of its rows and none twice."""
    until = time.monotonic() + 30
    while not (pipeline.inbox / "written").exists():
        assert time.monotonic() < until
        time.sleep(0.01)
    answer = pipeline.ingest(pipeline.inbox / "delivery.csv")
    assert answer.error is None
    assert answer.counts is not None
    assert answer.counts.accepted == len(pipeline.rows)


PARQUET = [
    Case(
        "nested Parquet",
        file(
            lambda rows: parquet(rows.assign(zone=pd.Series([["Mitte", "Süd"]] * len(rows)))),
            "delivery.parquet",
        ),
        DataError,
        (r"delivery\.parquet has nested columns: zone \(list<",),
    ),
    Case(
        "truncated Parquet",
        file(lambda rows: parquet(rows)[:-100], "delivery.parquet"),
        DataError,
        (r"delivery\.parquet is not a whole Parquet file", "cut short or damaged"),
    ),
    Case(
        "corrupt Parquet",
        file(lambda rows: damaged(parquet(rows)), "delivery.parquet"),
        DataError,
        (r"delivery\.parquet is not a whole Parquet file", "cut short or damaged"),
    ),
    Case("Parquet named .csv", file(parquet, "delivery.csv"), accepted=60),
    Case(
        "CSV named .parquet",
        file(to_csv, "delivery.parquet"),
        DataError,
        (r"delivery\.parquet is not a whole Parquet file: it does not begin with PAR1",),
    ),
    Case(
        "Parquet of no rows",
        file(lambda rows: parquet(rows[:0]), "delivery.parquet"),
        DataError,
        (r"delivery\.parquet has columns and no rows",),
    ),
]

PACKED = [
    Case("gz without its name", file(packed, "delivery.csv"), accepted=60),
    Case(
        "gz cut short",
        file(lambda rows: packed(rows)[:-300], "delivery.csv.gz"),
        DataError,
        (r"delivery\.csv\.gz cannot be unpacked: its gzip data is cut short or corrupt",),
    ),
    Case(
        "bz2 damaged",
        file(lambda rows: damaged(bz2.compress(to_csv(rows).encode())), "delivery.csv.bz2"),
        DataError,
        (r"delivery\.csv\.bz2 cannot be unpacked: its bz2 data is cut short or corrupt",),
    ),
    Case("zip named .csv", file(zipped), DataError, (r"delivery\.csv: it is a zip archive, as Excel's",)),
]

CODE = [
    Case(
        f"a pickle named .csv, protocol {protocol}", pickled(protocol), DataError, says, after=assert_not_run
    )
    for protocol, says in ((5, (r"delivery\.csv: pickled data is not loaded",)), (0, (r"delivery\.csv",)))
]

JSON = [
    Case("JSON Lines", file(lambda rows: "".join(json_lines(rows)), "delivery.jsonl"), accepted=60),
    Case(
        "JSON Lines with a nested value",
        file(lambda rows: "".join(json_lines(rows, zone={"name": "Mitte"})), "delivery.jsonl"),
        DataError,
        (r"delivery\.jsonl, line 3: column 'zone' holds a nested value",),
    ),
    Case(
        "JSON Lines with a broken line",
        file(lambda rows: "".join([*json_lines(rows)[:40], '{"at": "2025-0\n']), "delivery.jsonl"),
        DataError,
        (r"delivery\.jsonl, line 41: not JSON",),
    ),
    Case(
        "one JSON array",
        file(lambda rows: f"[{','.join(json_lines(rows))}]", "delivery.json"),
        DataError,
        (r"delivery\.json: it is one JSON document, not JSON Lines", "an object on each line"),
    ),
    Case(
        "one JSON document",
        file(lambda rows: json.dumps({"rows": json_lines(rows)}, indent=2), "delivery.json"),
        DataError,
        (r"delivery\.json: it is one JSON document, not JSON Lines",),
    ),
]

PLACES = [
    Case("a directory", named("delivery", make_folder), accepted=60),
    Case(
        "a directory with one bad file",
        named("delivery", make_folder_with_one_bad),
        DataError,
        (r"delivery/c\.csv, line 61: 4 cells where 5 columns were expected",),
    ),
    Case(
        "an empty directory",
        named("delivery", lambda path, rows: path.mkdir()),
        DataError,
        (r"delivery is a folder without tables in it", r"Expected \*\.csv"),
    ),
    Case(
        "a broken link",
        named("delivery.csv", lambda path, rows: path.symlink_to("elsewhere.csv")),
        DataError,
        (r"delivery\.csv is a link to elsewhere\.csv, which is not there",),
    ),
    Case(
        "a missing file",
        named("delivery.csv", lambda path, rows: None),
        DataError,
        (r"delivery\.csv: there is no such file",),
    ),
    Case(
        "a pipe that nobody writes to",
        named("delivery.csv", lambda path, rows: os.mkfifo(path)),
        DataError,
        (r"delivery\.csv is no file",),
    ),
    Case(
        "a name with a terminal escape",
        named("deli\x1b[31mvery.csv", lambda path, rows: path.write_text("a\n")),
        DataError,
        (r"deli\\x1b\[31mvery\.csv",),
    ),
    Case(
        "a page to log in",
        file(lambda rows: "\n<!DOCTYPE html><html><body>Please log in</body></html>"),
        DataError,
        (r"delivery\.csv: it is a web page or XML, not a table",),
    ),
    Case(
        "a file still being written",
        named("delivery.csv", keep_writing),
        DataError,
        (r"delivery\.csv is still being written: it changed while it was read",),
        after=take_in_once_written,
    ),
]

CASES = [*PARQUET, *PACKED, *CODE, *JSON, *PLACES]
