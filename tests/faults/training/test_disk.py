"""A disk that is full when a checkpoint is written."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.disk import small_file_system
from tests.faults.training.killing import EPOCHS, Training, same_model


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 4 MB, where this machine lets us mount one."""
    with small_file_system(tmp_path / "disk", 4) as folder:
        yield folder


@pytest.mark.faults
def test_the_last_good_checkpoint_stands_and_with_room_it_goes_on(small_disk: Path, tmp_path: Path) -> None:
    plain = Training(tmp_path / "plain", workers=0)
    plain.call()
    undisturbed = plain.ending().result
    assert undisturbed is not None

    training = Training(tmp_path / "crowded", workers=0, checkpoints=str(small_disk))
    training.call()
    training.wait_for_epoch(3)
    fill(small_disk / "filler")
    ending = training.ending()
    assert ending.result is None
    assert "the checkpoint could not be written" in ending.said
    assert "Make room" in ending.said
    reached = training.told()[-1]

    (small_disk / "filler").unlink()
    training.call()
    ending = training.ending()
    assert ending.result is not None, ending.said
    assert training.told() == [*range(1, reached + 1), *range(reached, EPOCHS + 1)]
    assert same_model(ending.result, undisturbed)


def fill(path: Path) -> None:
    """Write until there is no room."""
    with path.open("wb", buffering=0) as file:
        try:
            while file.write(b"x" * 4096):
                pass
        except OSError:
            return
