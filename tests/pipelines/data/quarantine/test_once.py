"""Each row is held once after any steps, whatever falls over in between."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.data.quarantine.replays import (
    quarantine_summary,
    settle_replays,
    stage_replay,
)
from pipelines.ledger import Ledger
from pipelines.validation.batch import validate_batch
from tests.pipelines.data.quarantine.shop import GOOD, Shop, edit, first_sizes

# ------------------------------------------------------------------------------------------------ once

SIZE = st.sampled_from(["1", "2", "11", "12", "30", "big"])
STEP = st.one_of(
    st.tuples(st.just("ingest"), st.lists(SIZE, min_size=1, max_size=4)),
    st.tuples(st.just("replay"), st.sampled_from([5, 15, 50])),
    st.tuples(st.just("repair"), st.lists(SIZE, min_size=1, max_size=3)),
)


@settings(max_examples=8, deadline=None)
@given(st.lists(STEP, min_size=2, max_size=5))
def test_each_row_is_held_once_after_any_steps(steps: list[tuple[str, Any]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        shop, delivered = Shop(Path(folder)), 0
        shop.take_in(*GOOD)
        for number, (step, value) in enumerate(steps):
            if step == "ingest":  # `kind` tells each source row from every other
                lines = [f"{size},{number}-{place},no" for place, size in enumerate(value)]
                delivered += len(lines)
                shop.take_in(*GOOD, *lines)
            elif step == "replay":
                shop.most = value
                shop.replay()
            elif shop.waiting():
                shop.replay(edit(shop.export(), first_sizes(value)))
            held = Counter(row[1] for row in shop.accepted()) + Counter(row["kind"] for row in shop.waiting())
            assert held.pop("a") == len(GOOD)
            assert set(held.values()) <= {1}
            assert held.total() == delivered
            summary = quarantine_summary(shop.home, "shop")
            assert summary.waiting == len(shop.waiting())


KILLED = """
import os, signal, sys
from pathlib import Path
from pipelines.data.quarantine import replays as quarantine
from pipelines.home import Home
from pipelines.ledger import Ledger
from pipelines.records import Batch, ValidationReport

home, batch, report = Home(Path(sys.argv[1])), *(Path(p).read_text() for p in sys.argv[2:4])
quarantine.note_return = lambda *given: os.kill(os.getpid(), signal.SIGKILL)
quarantine.accept_replay(home, Batch.model_validate_json(batch), ValidationReport.model_validate_json(report))
"""


@pytest.fixture
def killed(shop: Shop) -> Shop:
    """A replay that died between the rows and the mark."""
    shop.take_in(*GOOD, "11,a,no", "12,b,no", "30,c,no")
    shop.most = 20
    batch = stage_replay(shop.config, shop.home)
    report = validate_batch(shop.config, shop.home, batch)
    files = [shop.folder / "batch.json", shop.folder / "report.json"]
    for file, record in zip(files, (batch, report), strict=True):
        file.write_text(record.model_dump_json())
    command = [sys.executable, "-c", KILLED, str(shop.home.root), *map(str, files)]
    done = subprocess.run(command, check=False, capture_output=True, env=dict(os.environ))
    assert done.returncode == -9, done.stderr
    assert len(shop.accepted()) == 4
    return shop


def test_the_next_replay_finishes_a_killed_one(killed: Shop) -> None:
    report = killed.replay()
    assert (report.rows, report.accepted) == (1, 0)
    assert {intake.state for intake in Ledger.open(killed.home).intakes("shop")} == {"accepted"}
    assert len(killed.accepted()) == 4
    assert [row["size"] for row in killed.waiting()] == [30]


def test_a_look_finishes_a_killed_replay(killed: Shop) -> None:
    assert len(killed.export().read_text("utf-8-sig").splitlines()) == 2  # its head, and 30,c,no
    summary = quarantine_summary(killed.home, "shop")
    assert (summary.waiting, summary.replayed) == (1, 2)
    settle_replays(killed.home, "shop")
    assert quarantine_summary(killed.home, "shop") == summary


def test_after_a_killed_replay_the_source_is_still_known(killed: Shop) -> None:
    killed.take_in(*GOOD, "11,a,no", "12,b,no", "30,c,no", "4,d,no")
    assert len(killed.accepted()) == 5
    assert len(killed.waiting()) == 1
