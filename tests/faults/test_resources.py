"""Bad input that would cost time, memory or room: each stays under a minute and two gigabytes.

Each is taken in by a process of its own, whose time and memory are measured, and which may be killed.
"""

from __future__ import annotations

import bz2
import gzip
import json
import logging
import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from tests.faults.disk import small_file_system
from tests.faults.frame import HELD, PLAIN, Form, Pipeline, rides, to_csv
from tests.faults.judging import assert_nothing_left_behind, check_next
from tests.forking import Child, Forks
from tests.waiting import until

SECONDS, GIGABYTES = 60, 2.0
LONGEST_ANSWER = 1 << 21  # characters of a page or message
NEEDED = "import tests.faults.frame, pipelines.validation.measure, deltalake, duckdb, pyarrow.parquet"
CHILD = """
import json, resource, sys
from pathlib import Path
from pipelines.data.definition.proposal import init_definition
from tests.faults.frame import PLAIN, Pipeline

before = resource.getrlimit(resource.RLIMIT_FSIZE)
if most := int(sys.argv[1]):
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, before[1]))
root, definition, *delivery = map(Path, sys.argv[2:])
if not definition.exists():
    init_definition(str(delivery.pop(0)), "late", None, definition)
answer = Pipeline(root, definition, PLAIN).ingest(*delivery)
counts = answer.counts.model_dump() if answer.counts else None
error = type(answer.error).__name__ if answer.error else None
longest = max(map(len, answer.shown), default=0)
resource.setrlimit(resource.RLIMIT_FSIZE, before)
print(json.dumps({"error": error, "said": answer.said, "counts": counts, "longest": longest}))
"""


@dataclass(frozen=True)
class Ending:
    """What a process answered."""

    error: str | None
    said: str
    counts: dict[str, int] | None
    longest: int


@dataclass(frozen=True)
class Intake:
    """Takes deliveries in, in processes that can write no file of more than `file_size` bytes."""

    forks: Forks

    def start(self, pipeline: Pipeline, *delivery: Path, file_size: int = 0) -> Child:
        return self.forks.start(CHILD, file_size, pipeline.root, pipeline.definition, *delivery)

    def __call__(self, pipeline: Pipeline, *delivery: Path, file_size: int = 0) -> Ending:
        """Take the delivery in, within the time and memory that it may take."""
        began = time.monotonic()
        done = self.forks.wait(self.start(pipeline, *delivery, file_size=file_size))
        seconds, gigabytes = time.monotonic() - began, done.peak / (1 << 20)
        assert done.code == 0, done.err
        ending = Ending(**json.loads(done.out))
        logging.getLogger(__name__).warning("%.1f s, %.2f GB: %.300s", seconds, gigabytes, ending.said)
        assert seconds <= SECONDS
        assert gigabytes <= GIGABYTES
        assert ending.longest <= LONGEST_ANSWER
        return ending


@pytest.fixture(scope="module")
def ingest(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Intake]:
    forks = Forks(tmp_path_factory.mktemp("said"), NEEDED)
    yield Intake(forks)
    forks.close()


@pytest.fixture
def pipeline(pipeline_of: Callable[[Form], Pipeline]) -> Pipeline:
    return pipeline_of(PLAIN)


def assert_refused_unread(ingest: Intake, pipeline: Pipeline, delivery: Path, says: str) -> None:
    """A DataError that says so, nothing of it held, and a next batch that works."""
    ending = ingest(pipeline, delivery)
    assert (ending.error, ending.counts) == ("DataError", None)
    assert says in ending.said, ending.said
    assert (len(pipeline.held()), len(pipeline.waiting())) == (HELD, 0)
    assert_nothing_left_behind(pipeline, refused=False)
    check_next(pipeline)


# ------------------------------------------------------------------------------------------------ size


def packed_by_zstd(path: Path, blocks: Iterator[bytes]) -> None:
    with pa.CompressedOutputStream(str(path), "zstd") as out:
        for block in blocks:
            out.write(block)


def packed_by_gzip(path: Path, blocks: Iterator[bytes]) -> None:
    with gzip.open(path, "wb", 1) as out:
        for block in blocks:
            out.write(block)


def packed_by_bz2(path: Path, blocks: Iterator[bytes]) -> None:
    """Parts that are packed alike: the file is their sequence."""
    parts = {block: bz2.compress(block, 9) for block in set(blocks)}
    path.write_bytes(parts[HEADER] + parts[BOMB] * 40)


HEADER = b"at,zone,distance,minutes,late\n"
BOMB = b"2025-03-01 00:07,Mitte,1200.5,12.0,no\n" * 250_000  # 9.5 MB; forty of them are 380
PACKERS = {"gz": packed_by_gzip, "zst": packed_by_zstd, "bz2": packed_by_bz2}


@pytest.mark.parametrize("ending", PACKERS)
def test_a_decompression_bomb_is_refused_while_it_is_read(
    ending: str, ingest: Intake, pipeline: Pipeline
) -> None:
    bomb = pipeline.inbox / f"bomb.csv.{ending}"
    PACKERS[ending](bomb, iter([HEADER, *[BOMB] * 40]))
    assert bomb.stat().st_size < 3_000_000
    assert_refused_unread(ingest, pipeline, bomb, "when unpacked: more than 100 times")


def test_a_header_of_20_megabytes_is_refused(ingest: Intake, pipeline: Pipeline) -> None:
    path = pipeline.inbox / "delivery.csv"
    path.write_text(to_csv(pipeline.rows.rename(columns={"zone": "z" * 20_000_000})), encoding="utf-8")
    assert_refused_unread(
        ingest, pipeline, path, "has a column name of 20,000,000 characters, beginning with 'zzz"
    )


def test_a_header_of_millions_of_columns_is_refused(ingest: Intake, pipeline: Pipeline) -> None:
    path = pipeline.inbox / "delivery.csv"
    path.write_text(",".join(f"c{i}" for i in range(2_000_000)) + "\n1,2\n", encoding="utf-8")
    assert_refused_unread(
        ingest, pipeline, path, "has 2,000,000 columns, beginning with 'c0'; the most is 20,000"
    )


@pytest.mark.parametrize(
    ("column", "cell", "accepted", "quarantined"),
    [("zone", "z" * 20_000_000, 60, 0), ("minutes", "9" * 20_000_000, 59, 1)],
    ids=["text", "number"],
)
def test_a_cell_of_20_megabytes_is_one_cell(
    column: str, cell: str, accepted: int, quarantined: int, ingest: Intake, pipeline: Pipeline
) -> None:
    rows = pipeline.rows
    rows[column] = [cell, *rows[column].iloc[1:]]
    path = pipeline.inbox / "delivery.csv"
    path.write_text(to_csv(rows), encoding="utf-8")
    ending = ingest(pipeline, path)
    assert ending.error is None, ending.said
    assert (len(pipeline.held()), len(pipeline.waiting())) == (HELD + accepted, quarantined)
    if column == "zone":
        assert len(pipeline.held()["zone"].max()) == 20_000_000
    check_next(pipeline)


def test_rows_of_nothing_but_unreadable_cells_are_refused(ingest: Intake, pipeline: Pipeline) -> None:
    path = pipeline.inbox / "delivery.csv"
    lines = (f"never{i},no{i},far{i},long{i},late{i % 2}\n" for i in range(100_000))
    path.write_text(HEADER.decode() + "".join(lines), encoding="utf-8")
    ending = ingest(pipeline, path)
    assert ending.error == "DataRefused"
    assert ending.counts is not None
    assert ending.counts["read"] == ending.counts["refused"] == 100_000
    assert "value_is_readable on minutes: 100000 of 100000 rows" in ending.said
    assert len(pipeline.held()) == HELD
    check_next(pipeline)


@pytest.mark.faults  # a minute, for a table that few have
def test_five_thousand_columns_are_defined_taken_in_and_checked(ingest: Intake, tmp_path: Path) -> None:
    """By `init`, then a batch of them, then another that is compared with the first."""
    (tmp_path / "inbox").mkdir()
    pipeline = Pipeline(tmp_path, tmp_path / "pipeline.yaml", PLAIN)
    names = [f"c{i}" for i in range(4_996)]
    files = []
    for start_row in (0, HELD):
        cells = np.random.default_rng(start_row).normal(size=(HELD, len(names))).round(3)
        named = rides(start_row, HELD).drop(columns="at")
        wide = pd.concat([named, pd.DataFrame(cells, columns=names)], axis=1)
        files.append(tmp_path / ("more.csv" if start_row else "rides.csv"))
        files[-1].write_text(to_csv(wide), encoding="utf-8")
    first = ingest(pipeline, files[0])
    assert (first.error, first.counts and first.counts["accepted"]) == (None, HELD), first.said
    second = ingest(pipeline, files[1])
    assert (second.error, second.counts and second.counts["accepted"]) == (None, HELD), second.said
    assert len(pipeline.held()) == 2 * HELD


def test_a_folder_of_a_thousand_small_files_is_one_batch(ingest: Intake, pipeline: Pipeline) -> None:
    folder = pipeline.inbox / "many"
    folder.mkdir()
    lines = to_csv(many_rides(2_000)).splitlines(keepends=True)
    for i in range(1_000):
        text = "".join([lines[0], *lines[1 + 2 * i : 3 + 2 * i]])
        (folder / f"part-{i:04d}.csv").write_text(text, encoding="utf-8")
    ending = ingest(pipeline, folder)
    assert (ending.error, ending.counts and ending.counts["accepted"]) == (None, 2_000), ending.said
    again = ingest(pipeline, folder)
    assert (again.error, again.counts and again.counts["read"]) == (None, 0), again.said
    check_next(pipeline)


# ------------------------------------------------------------------------------------------------ room


def big_delivery(folder: Path, rows: int) -> Path:
    """Rows that take room whatever packs them."""
    path = folder / "big.csv"
    path.write_text(to_csv(many_rides(rows)), encoding="utf-8")
    return path


def many_rides(rows: int) -> pd.DataFrame:
    """Good rows, one a second, none of them as long as only one in thousands is."""
    plain = rides(HELD, rows)
    times = pd.Timestamp("2025-03-20") + pd.to_timedelta(np.arange(rows), "s")
    return plain.assign(at=times, distance=plain["distance"].clip(upper=10_000))


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 3 MB, where this machine lets us mount one."""
    with small_file_system(tmp_path / "disk", 3, "; a limit on files stands in for the full disk") as folder:
        yield folder


def test_a_full_disk_takes_in_nothing_and_with_room_the_same_command_works(
    small_disk: Path, ingest: Intake, pipeline: Pipeline, tmp_path: Path
) -> None:
    root = small_disk / "here"
    shutil.copytree(pipeline.home.root, root / "home", symlinks=True)
    (root / "inbox").mkdir()
    crowded = Pipeline(root, pipeline.definition, PLAIN)
    delivery = big_delivery(tmp_path, 300_000)
    ending = ingest(crowded, delivery)
    assert ending.error == "EvergreenError"
    assert re.search("No space left on device|disk is full", ending.said), ending.said
    assert len(crowded.held()) == HELD
    assert_nothing_left_behind(crowded, refused=False)
    resize(small_disk, 200 << 10)
    ending = ingest(crowded, delivery)
    assert (ending.error, ending.counts and ending.counts["accepted"]) == (None, 300_000), ending.said
    check_next(crowded)


@pytest.mark.parametrize("kilobytes", [130, 200, 230, 290, 350])
def test_wherever_the_disk_fills_up_each_row_is_taken_in_once(
    kilobytes: int, small_disk: Path, ingest: Intake, pipeline: Pipeline, tmp_path: Path
) -> None:
    """While parts, page, ledger or rows are written; good rows and bad ones."""
    root = small_disk / "here"
    shutil.copytree(pipeline.home.root, root / "home", symlinks=True)
    (root / "inbox").mkdir()
    crowded = Pipeline(root, pipeline.definition, PLAIN)
    delivery = tmp_path / "big.csv"
    rows = many_rides(8_000)
    delivery.write_text(to_csv(rows.assign(minutes=rows["minutes"].where(rows.index >= 200, 1e6))), "utf-8")
    resize(small_disk, shutil.disk_usage(small_disk).used // 1024 + kilobytes)
    ending = ingest(crowded, delivery)
    assert ending.error in {"EvergreenError", None}, ending.said
    assert ending.error is None or "Make room" in ending.said
    resize(small_disk, 200 << 10)
    assert ingest(crowded, delivery).error is None
    assert (len(crowded.held()), len(crowded.waiting())) == (HELD + 7_800, 200)
    check_next(crowded)


def resize(disk: Path, kilobytes: int) -> None:
    subprocess.run(["mount", "-o", f"remount,size={kilobytes}k", str(disk)], check=True)


def test_where_files_can_grow_no_further_nothing_is_lost(
    ingest: Intake, pipeline: Pipeline, tmp_path: Path
) -> None:
    """Files can grow to so many bytes and no further: what is too big differs, the answer does not."""
    delivery = big_delivery(tmp_path, 20_000)
    answers = [ingest(pipeline, delivery, file_size=size << 10) for size in (1, 40, 200)]
    for ending in answers:
        assert ending.error == "EvergreenError", ending.said
        assert re.search("too large|disk is full|disk I/O", ending.said), ending.said
        assert len(pipeline.held()) == HELD
    ending = ingest(pipeline, delivery)
    assert (ending.error, ending.counts and ending.counts["accepted"]) == (None, 20_000), ending.said
    check_next(pipeline)


def test_killed_while_staging_a_big_file_the_same_command_works(
    ingest: Intake, pipeline: Pipeline, tmp_path: Path
) -> None:
    delivery = big_delivery(tmp_path, 300_000)
    incoming = pipeline.home.pipeline(pipeline.name).incoming
    child = ingest.start(pipeline, delivery)
    until(lambda: list(incoming.glob(".staging-*")))
    os.kill(child.pid, signal.SIGKILL)
    assert ingest.forks.wait(child).code == -9
    assert list(incoming.glob(".staging-*"))
    assert len(pipeline.held()) == HELD
    ending = ingest(pipeline, delivery)
    assert (ending.error, ending.counts and ending.counts["accepted"]) == (None, 300_000), ending.said
    assert_nothing_left_behind(pipeline, refused=False)
    check_next(pipeline)
