"""Cells, column names and file names that would be obeyed: formulas, HTML, terminal escapes, SQL, templates.

They are data, and are stored as they came. Wherever people see them they are harmless.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
import yaml

from pipelines.config import load_config
from pipelines.data.definition.proposal import init_definition
from pipelines.data.quarantine.replays import export_quarantine, quarantine_summary
from pipelines.records import RowCounts
from tests.faults.frame import DELIVERED, HELD, PLAIN, Answer, Form, Pipeline, rides, to_csv
from tests.faults.judging import CONTROL, check_next

FORMULA = "=cmd|' /C calc'!A0"
SCRIPT = "<script>alert(1)</script>"
IMAGE = '<img src=x onerror="alert(1)">'
COLOUR = "\x1b[31mred\x1b[0m"
TITLE = "\x1b]0;owned\x07"
LINK = "[here](javascript:alert(1)) `x` | y"
TURNED = "\u202egnp.exe"
SQL = "x'; DROP TABLE batch; --"
HOSTILE = [FORMULA, SCRIPT, IMAGE, COLOUR, TITLE, LINK, TURNED, SQL, "{0} %s ${HOME}", "@SUM(1)", "+1+1"]
NAMES = [FORMULA, SCRIPT, COLOUR, TURNED, 'say "hi"', "x'; DROP TABLE batch; --", "{column} %s ${HOME}"]
TAGS = re.compile(r"<(script>alert|img src=x)", re.IGNORECASE)


def assert_plain(text: str) -> None:
    """Nothing in it is obeyed by a terminal."""
    found = CONTROL.search(text)
    assert not found, f"{found[0]!r} in {text[max(0, found.start() - 80) : found.end() + 80]!r}"


def assert_harmless(text: str) -> None:
    """Nor by a browser."""
    assert_plain(text)
    found = TAGS.search(text)
    assert not found, text[max(0, found.start() - 80) : found.end() + 80]
    assert "](javascript" not in text


def assert_harmless_everywhere(answer: Answer) -> None:
    """The page and the Markdown in a browser, all of it in a terminal."""
    for page in answer.shown[:2]:
        assert_harmless(page.replace("\n", " "))
    for words in answer.shown[2:]:
        assert_plain(words.replace("\n", " "))


def hostile_rows() -> pd.DataFrame:
    """Good rows: hostile zones, all of them accepted, and five hostile minutes, which go to quarantine."""
    rows = rides(HELD, DELIVERED)
    minutes = rows["minutes"].astype(object)
    minutes[:5] = [FORMULA, SCRIPT, COLOUR, TURNED, "-1+1"]
    zones = rows["zone"].astype(object)
    zones[20 : 20 + len(HOSTILE)] = HOSTILE
    return rows.assign(zone=zones, minutes=minutes, **{COLOUR: 1, SCRIPT: 2})


@pytest.fixture
def spoilt(pipeline_of: Callable[[Form], Pipeline]) -> Pipeline:
    return pipeline_of(PLAIN)


def test_hostile_cells_and_names_are_kept_and_harmless_in_every_answer(
    spoilt: Pipeline, capsys: pytest.CaptureFixture[str]
) -> None:
    from evergreen.data import answer_diff, answer_list, answer_show
    from evergreen.quarantine import show_summary

    delivery = spoilt.inbox / f"{COLOUR} {TURNED} x<b>.csv"
    delivery.write_text(to_csv(hostile_rows()), encoding="utf-8")
    answer = spoilt.ingest(delivery)
    assert answer.error is None, answer.error
    assert answer.counts == RowCounts(read=60, known=0, accepted=55, quarantined=5)
    assert_harmless_everywhere(answer)
    assert set(HOSTILE) <= set(spoilt.held()["zone"])
    summary = quarantine_summary(spoilt.home, spoilt.name)
    show_summary(summary)
    for _, show, _ in (
        answer_list(spoilt.home, spoilt.config),
        answer_show(spoilt.home, spoilt.config, None),
        answer_diff(spoilt.home, spoilt.config, ["0", "1"]),
    ):
        show()
    assert_plain(capsys.readouterr().out.replace("\n", " "))
    assert_plain(json.dumps(answer_show(spoilt.home, spoilt.config, None)[0], default=str))
    check_next(spoilt)


def test_a_refusal_with_hostile_words_is_harmless(spoilt: Pipeline) -> None:
    rows = rides(HELD, DELIVERED).assign(minutes=(HOSTILE * 6)[:DELIVERED])
    delivery = spoilt.inbox / f"{TITLE}{SCRIPT.replace('/', '')}.csv"
    delivery.write_text(to_csv(rows), encoding="utf-8")
    answer = spoilt.ingest(delivery)
    assert answer.counts == RowCounts(read=60, known=0, refused=60)
    assert_harmless_everywhere(answer)
    check_next(spoilt)


def test_columns_that_are_absent_are_asked_for_harmlessly(spoilt: Pipeline) -> None:
    delivery = spoilt.inbox / "delivery.csv"
    delivery.write_text(to_csv(rides(HELD, 5).rename(columns={"minutes": COLOUR, "zone": TURNED})))
    answer = spoilt.ingest(delivery)
    assert answer.error is not None
    assert_plain(str(answer.error))
    check_next(spoilt)


def test_the_line_that_takes_in_a_hostile_column_is_yaml(spoilt: Pipeline) -> None:
    delivery = spoilt.inbox / "delivery.csv"
    delivery.write_text(to_csv(rides(HELD, 5).assign(**dict.fromkeys(NAMES, 1))), encoding="utf-8")
    answer = spoilt.ingest(delivery)
    lines = re.findall(r"left out\. `(.+)` under columns", answer.said)
    assert [yaml.safe_load(line) for line in lines] == [{name: {"type": "number"}} for name in NAMES]


def test_an_export_of_hostile_cells_is_harmless_in_a_spreadsheet(spoilt: Pipeline, tmp_path: Path) -> None:
    delivery = spoilt.inbox / "delivery.csv"
    delivery.write_text(to_csv(hostile_rows()), encoding="utf-8")
    assert spoilt.ingest(delivery).error is None
    assert export_quarantine(spoilt.config, spoilt.home, tmp_path / "waiting.csv") == 5
    with (tmp_path / "waiting.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert rows[0]["minutes"] == f"'{FORMULA}"
    number = re.compile(r"[+-]?\d+(\.\d+)?")
    cells = [cell for row in rows for cell in row.values() if not number.fullmatch(cell)]
    assert not [cell for cell in cells if cell[:1] in "=+-@\t\r"]
    for row in rows:
        assert_plain(row["_reason"])


def test_hostile_column_names_make_a_sound_definition(tmp_path: Path) -> None:
    """`init` writes them so that they are read back, and rows under them are checked and held."""
    plain = rides(0, HELD)
    names = dict(zip(NAMES, ["distance", "minutes"] * len(NAMES), strict=False))
    shifted = {name: plain[column] + 3.5 * i for i, (name, column) in enumerate(names.items())}
    rows = plain.assign(**shifted, mark=(HOSTILE * HELD)[:HELD])
    (tmp_path / "rides.csv").write_text(to_csv(rows), encoding="utf-8")
    found = init_definition(str(tmp_path / "rides.csv"), "late", "at", tmp_path / "pipeline.yaml")
    text = (tmp_path / "pipeline.yaml").read_text(encoding="utf-8")
    assert_plain(text.replace("\n", " "))
    for warning in found.warnings:
        assert_plain(warning)
    assert set(load_config(tmp_path / "pipeline.yaml").columns) == set(rows.columns)
    pipeline = Pipeline(tmp_path, tmp_path / "pipeline.yaml", PLAIN)
    answer = pipeline.ingest()
    assert answer.error is None, answer.error
    assert_harmless_everywhere(answer)
    held = pipeline.held()
    assert (len(held), list(held["mark"])) == (HELD, list(rows["mark"]))
    assert set(NAMES) <= set(held.columns)


def test_a_hostile_target_is_named_harmlessly(tmp_path: Path) -> None:
    rows = rides(0, HELD).rename(columns={"late": COLOUR + SCRIPT})
    (tmp_path / "rides.csv").write_text(to_csv(rows), encoding="utf-8")
    init_definition(str(tmp_path / "rides.csv"), COLOUR + SCRIPT, "at", tmp_path / "pipeline.yaml")
    assert_plain((tmp_path / "pipeline.yaml").read_text(encoding="utf-8").replace("\n", " "))
    answer = Pipeline(tmp_path, tmp_path / "pipeline.yaml", PLAIN).ingest()
    assert answer.error is None, answer.error
    assert_harmless_everywhere(answer)
