"""What an attempt may spend is spent once, however often who follows it is killed."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from pipelines.config import Training
from pipelines.errors import TrainingFailed
from pipelines.records import Attempt, Snapshot
from pipelines.training.care import Care
from pipelines.training.folder import AttemptFolder


class Driver:
    """A launcher whose driver lives as long as the test says."""

    def __init__(self, lives: bool = False) -> None:
        self.lives, self.starts = lives, 0

    def running(self) -> bool:
        return self.lives

    def start(self) -> None:
        self.starts += 1

    def stop(self) -> None:
        self.lives = False


@pytest.fixture
def attempt(tmp_path: Path) -> Attempt:
    snapshot = Snapshot(pipeline="trips", uri="", version=0, rows=9, fingerprint="f")
    return Attempt(id="trips-1", pipeline="trips", snapshot=snapshot, folder=str(tmp_path))


def follower(attempt: Attempt, driver: Driver, **training: Any) -> Care:
    """A caller that comes after one that was killed: it knows nothing of it."""
    return Care(driver, attempt, Training(**training))


def test_callers_that_are_killed_spend_one_budget_of_faults(attempt: Attempt) -> None:
    driver = Driver()
    for starts in (1, 2, 3):
        follower(attempt, driver, failures=2).keep_running()
        assert driver.starts == starts
    last = follower(attempt, driver, failures=2)
    with pytest.raises(TrainingFailed, match=r"given up after 3 faults.*\(driver\) died \(3 times\)"):
        last.keep_running()
    last.end()
    follower(attempt, driver, failures=0).keep_running()  # trained again: another try
    assert driver.starts == 4


def test_callers_that_are_killed_spend_one_time(attempt: Attempt) -> None:
    driver, folder = Driver(lives=True), AttemptFolder.of(attempt)
    follower(attempt, driver).keep_running()
    follower(attempt, driver, timeout="PT1H").keep_running()
    age(folder, 7200)
    driver.lives = False  # for two hours, which do not count
    follower(attempt, driver, timeout="PT1H").keep_running()
    driver.lives = True
    follower(attempt, driver, timeout="PT1H").keep_running()
    age(folder, 7200)
    folder.beat.touch()
    with pytest.raises(TrainingFailed, match="not done after 3600 s"):
        follower(attempt, driver, timeout="PT1H").keep_running()


def age(folder: AttemptFolder, seconds: float) -> None:
    """As if so much time had passed since all that was noted."""
    spent = Care(Driver(), Attempt.model_construct(folder=str(folder.root)), Training())._spent()
    assert spent is not None
    older = {"began": spent.began - seconds, "started": spent.started - seconds}
    folder.spent.write_text(spent.model_copy(update=older).model_dump_json())
    folder.beat.touch()
    os.utime(folder.beat, (spent.started - seconds,) * 2)


def test_of_two_callers_one_looks_after_the_driver(attempt: Attempt) -> None:
    driver = Driver()
    with follower(attempt, driver)._turn():
        follower(attempt, driver).keep_running()
    assert driver.starts == 0
