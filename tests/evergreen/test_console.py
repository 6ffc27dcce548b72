"""Epochs are a bar where a terminal can show it, and lines elsewhere."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator
from typing import Any

import pytest
from rich.console import Console

from evergreen import console
from evergreen.cli import person
from pipelines.progress import EpochLog, epoch_table

LOG = logging.getLogger("evergreen")


def told(epoch: int, model: str = "mlp", **more: Any) -> dict[str, Any]:
    row = {"model": model, "epoch": epoch, "epochs": 60, "loss": 0.5, "samples_per_second": 812000}
    return {**row, "seconds": 1.0, "left": 75.0, "metric": "rmse", "score": 4.25, **more}


@pytest.fixture(params=[False, True], ids=["lines", "terminal"])
def screen(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    """What standard error gets; as a terminal of 80 columns, and as a file."""
    file = io.StringIO()
    monkeypatch.setattr(console, "err", Console(file=file, force_terminal=request.param, width=80))
    handler = console.ProgressHandler()
    before = LOG.level
    LOG.addHandler(handler)
    LOG.setLevel(logging.INFO)
    yield file
    console.stop_bars()
    LOG.removeHandler(handler)
    LOG.setLevel(before)


def test_each_model_has_its_name_loss_metric_and_time_left(screen: io.StringIO) -> None:
    watch = EpochLog(seconds=0)
    watch([told(1), told(2), told(1, "mlp refit", score=None)])
    LOG.info("That was all")
    said = " ".join(screen.getvalue().split())
    for words in (
        "mlp",
        "mlp refit",
        "2 of",
        "loss 0.5",
        "rmse 4.25",
        "812,000",
        "left",
        "That was all",
    ):
        assert words in said
    assert ("epoch 2 of at most 60" in said) != ("0:01:15 left" in said)  # lines, or a bar


def test_the_last_epoch_is_said_however_soon_it_came(screen: io.StringIO) -> None:
    with EpochLog(seconds=1e9) as watch:
        watch([told(1)])
        watch([told(2)])
    console.stop_bars()
    assert "2 of" in " ".join(screen.getvalue().split())


def test_the_table_of_epochs_has_the_last_ones() -> None:
    table = epoch_table([told(n, validation=0.25) for n in range(1, 8)], most=5)
    assert "| model | epoch | loss | validation | rmse |" in table
    assert "| mlp | 7 | 0.5 | 0.25 | 4.25 | 812,000 | 1.00 |" in table
    assert "| mlp | 2 |" not in table
    assert table.endswith("The last 5 of 7 epochs.")


def test_no_control_character_reaches_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    console.Terminal().print("\x1b[31mred\u202e\nnext", markup=False)
    assert capsys.readouterr().out == "[31mred\nnext\n"
    assert person("A\u200bda ") == "Ada"
    assert person("\u200b") == person(None) != ""
