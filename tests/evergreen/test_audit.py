"""The audit log is exported, and what was changed in it shows; words that do not fit are refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from evergreen.audit import audit
from evergreen.console import Answer
from pipelines.environment import HOME_VARIABLE
from pipelines.errors import UsageError
from pipelines.home import Home
from pipelines.ledger import Ledger


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, str]:
    """An exported log of three entries, and its last hash."""
    monkeypatch.setenv(HOME_VARIABLE, str(tmp_path))
    ledger = Ledger.open(Home.at())
    ledger.name_pipeline("rides", tmp_path / "rides.yaml")
    for version in (1, 2, 3):
        ledger.note("rides", "seen", f"rides:{version}", {"by": "Ada"})
    file = tmp_path / "log.jsonl"
    answer, _, code = audit("rides", export=file)
    assert (code, answer["entries"]) == (0, 3)
    return file, answer["last"]


def verify(file: Path, last: str | None = None, pipeline: str = "rides") -> Answer:
    return audit(pipeline, verify=file, last=last)


def test_a_log_that_nobody_touched_is_intact(
    log: tuple[Path, str], capsys: pytest.CaptureFixture[str]
) -> None:
    answer, show, code = verify(*log)
    assert (code, answer["intact"], answer["fault"]) == (0, True, None)
    show()
    assert "3 entries, each as it was written." in capsys.readouterr().out


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (lambda lines: [lines[0], lines[1].replace("Ada", "Eve"), lines[2]], "Line 2"),
        (lambda lines: lines[1:], "Line 1"),
        (lambda lines: [lines[0], lines[2]], "Line 2"),
        (lambda lines: lines[:2], "After line 2"),
        (lambda lines: [], "After line 0"),
    ],
)
def test_what_was_changed_shows_with_its_line(log: tuple[Path, str], change: object, line: str) -> None:
    file, last = log
    assert callable(change)
    file.write_text("".join(f"{one}\n" for one in change(file.read_text().splitlines())))
    answer, _, code = verify(file, last)
    assert (code, answer["intact"]) == (1, False)
    assert str(answer["fault"]).startswith(line)


def test_a_log_that_was_written_anew_is_not_the_ledgers(
    log: tuple[Path, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    file, _ = log
    lines = file.read_text().splitlines(keepends=True)
    file.write_text("".join(lines[:2]))
    assert verify(file)[2] == 0  # exported before the last decision
    file.write_text("")
    assert (verify(file)[0]["fault"], verify(file)[2]) == ("There is no entry in it.", 1)
    monkeypatch.setenv(HOME_VARIABLE, str(file.parent / "other"))
    Ledger.open(Home.at()).note("rides", "seen", "rides:1", {"by": "Eve"})
    file.write_text("".join(lines))
    answer, _, code = verify(file)
    assert (code, str(answer["fault"])[:7]) == (1, "Line 1:")


def test_the_log_of_another_pipeline_is_told(log: tuple[Path, str]) -> None:
    answer, _, code = verify(*log, pipeline="houses")
    assert (code, answer["fault"]) == (1, "Line 1: this is the log of rides, not of houses.")


def test_bytes_that_are_no_log_are_an_answer(log: tuple[Path, str]) -> None:
    file, _ = log
    file.write_bytes(b"\xff\xfe\n" + json.dumps({"seq": 1}).encode())
    answer, _, code = verify(file)
    assert (code, answer["fault"]) == (1, "Line 1: this is no entry of an audit log.")


def test_words_that_do_not_fit(log: tuple[Path, str], tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="do not go together"):
        audit("rides", export=tmp_path / "a", verify=tmp_path / "b")
    with pytest.raises(UsageError, match="do not go together"):
        audit("rides", last="abc")
    with pytest.raises(UsageError, match="cannot be read"):
        verify(tmp_path / "nothing")
