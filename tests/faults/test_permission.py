"""A file that is not ours to read, also where the tests run as root: without the right to read everything."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pipelines.errors import DataError
from tests.faults.frame import Case, Form, Pipeline, to_csv
from tests.faults.judging import judge

VERSION_3 = 0x20080522  # of Linux's interface to capabilities
OVERRIDES = 0b110  # CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH: root reads what it may not
Words = ctypes.c_uint32 * 6  # effective, permitted, inheritable; and the same of the upper 32


def call(name: str, words: ctypes.Array[ctypes.c_uint32]) -> None:
    """capget or capset for this thread and those that it starts."""
    libc = ctypes.CDLL(None, use_errno=True)
    header = (ctypes.c_uint32 * 2)(VERSION_3, 0)
    if not hasattr(libc, name) or getattr(libc, name)(header, words) != 0:
        pytest.skip("root cannot give up its right to read everything here")


@pytest.fixture
def as_anybody() -> Iterator[None]:
    """Root's rights over others' files are put down for a test."""
    if os.geteuid() != 0:
        yield
        return
    before, without = Words(), Words()
    call("capget", before)
    call("capget", without)
    without[0] &= ~OVERRIDES
    call("capset", without)
    yield
    call("capset", before)


def closed_file(pipeline: Pipeline) -> Path:
    path = pipeline.inbox / "delivery.csv"
    path.write_text(to_csv(pipeline.rows))
    path.chmod(0)
    return path


def closed_folder(pipeline: Pipeline) -> Path:
    path = pipeline.inbox / "delivery"
    path.mkdir()
    (path / "delivery.csv").write_text(to_csv(pipeline.rows))
    path.chmod(0)
    return path


CASES = [
    Case("no permission", closed_file, DataError, (r"delivery\.csv cannot be read: Permission denied",)),
    Case(
        "no permission for a folder",
        closed_folder,
        DataError,
        (r"delivery cannot be read: Permission denied",),
    ),
]


@pytest.mark.usefixtures("as_anybody")
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name.replace(" ", "-"))
def test_what_is_not_ours_to_read(case: Case, pipeline_of: Callable[[Form], Pipeline]) -> None:
    judge(case, pipeline_of(case.form))
