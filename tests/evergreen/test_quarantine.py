"""`evergreen ingest` and `evergreen quarantine` as a script sees them: JSON and exit codes."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.evergreen.conftest import Said, Say

DEFINITION = """
pipeline: shop
task: binary
metric: auc
data: {source: shop.csv, target: sold}
columns:
  size: {type: number}
  kind: {type: category}
  sold: {type: category}
validation:
  checks:
    - expect_column_values_to_be_between: {column: size, min_value: 0, max_value: 10}
"""
ROWS = [f"{number % 10},a,{'yes' if number % 2 else 'no'}" for number in range(40)]


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory, say_flow: Say) -> dict[str, Said]:
    """A day with a bad row: taken in, looked at, exported, repaired, brought back, and tried again."""
    folder = tmp_path_factory.mktemp("a shop")
    (folder / "pipeline.yaml").write_text(DEFINITION)
    (folder / "shop.csv").write_text("\n".join(["size,kind,sold", *ROWS, "11,=1+1,no", "big,b,yes"]) + "\n")
    (folder / "more.csv").write_text("size,kind,sold\n3,c,no\n")

    def quarantine(*words: str) -> Said:
        return say_flow(folder, "quarantine", "shop", *words)

    said = {"ingest": say_flow(folder, "ingest", "pipeline.yaml", "--data", "more.csv")}
    said |= {"list": quarantine("list"), "export": quarantine("export", "--output", "waiting.csv")}
    waiting = folder / "waiting.csv"
    waiting.write_text(waiting.read_text("utf-8-sig").replace(',"big",', ",7,"))
    said["replay"] = quarantine("replay", "--input", "waiting.csv")
    said["again"] = quarantine("replay", "--input", "waiting.csv")
    said |= {"after": quarantine(), "no file": quarantine("export")}
    said["wrong words"] = quarantine("list", "--output", "x.csv")
    return said


def test_ingest_says_where_the_rows_went(story: dict[str, Said]) -> None:
    said = story["ingest"]
    assert said.code == 0
    counts = {
        name: said.answer["dataset"][name] for name in ("read", "known", "accepted", "quarantined", "rows")
    }
    assert counts == {"read": 43, "known": 0, "accepted": 41, "quarantined": 2, "rows": 41}
    page = Path(said.answer["page"])
    assert page.name == f"{said.answer['batch']}.html"
    assert "evergreen quarantine shop list" in page.read_text()


def test_list_says_what_waits_and_why(story: dict[str, Said]) -> None:
    answer = story["list"].answer
    assert (story["list"].code, answer["waiting"], answer["replayed"]) == (0, 2, 0)
    assert {(r["rule"], r["column"], r["rows"]) for r in answer["reasons"]} == {
        ("expect_column_values_to_be_between", "size", 1),
        ("value_is_readable", "size", 1),
    }


def test_export_and_replay_bring_back_what_was_repaired(story: dict[str, Said]) -> None:
    assert (story["export"].code, story["export"].answer["rows"]) == (0, 2)
    assert Path(story["export"].answer["output"]).is_absolute()
    said = story["replay"]
    assert (said.code, said.answer["replayed"], said.answer["waiting"]) == (0, 1, 1)
    assert said.answer["dataset"]["rows"] == 42
    assert (story["after"].answer["waiting"], story["after"].answer["replayed"]) == (1, 1)


def test_a_second_replay_of_the_file_names_the_row_that_is_back(story: dict[str, Said]) -> None:
    said = story["again"]
    assert (said.code, said.answer["error"]["type"]) == (3, "DataError")
    assert "do not wait in quarantine" in said.answer["error"]["message"]


@pytest.mark.parametrize(("name", "word"), [("no file", "--output"), ("wrong words", "--output")])
def test_words_that_do_not_fit_are_a_usage_error(story: dict[str, Said], name: str, word: str) -> None:
    said = story[name]
    assert (said.code, said.answer["error"]["type"]) == (2, "UsageError")
    assert word in f"{said.answer['error']['message']} {said.answer['error']['hint']}"
