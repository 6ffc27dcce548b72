"""What a script sees of the command: one JSON object, an exit code, and an answer to each mistake."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pipelines.config import load_config
from pipelines.errors import UsageError
from pipelines.home import Home
from pipelines.ledger import Ledger
from pipelines.promotion.champion import require_champion
from pipelines.promotion.choosing import previous_version
from tests.evergreen.conftest import Evergreen, Said, Say, environment

COMMAND = str(Path(sys.executable).parent / "evergreen")


def check_error(said: Said, code: int, kind: str, *words: str) -> None:
    """The answer is an error of this code and type, whose text has these words; a person sees it, too."""
    assert list(said.answer) == ["error"]
    error = said.answer["error"]
    assert (said.code, error["type"]) == (code, kind), error
    assert set(error) == {"type", "message", "hint"}
    assert error["hint"]
    text = f"{error['message']} {error['hint']}"
    assert [word for word in words if word not in text] == [], text
    assert "Error" in said.log


def table(rows: int = 200) -> pd.DataFrame:
    rng = np.random.default_rng(3)
    size, colour = rng.normal(size=rows).round(3), rng.choice(["red", "green", "blue"], rows)
    return pd.DataFrame(
        {"size": size, "colour": colour, "sold": np.where(size + rng.normal(size=rows) > 0, "yes", "no")}
    )


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a small table and the definition that `init`, as it is installed, writes for it."""
    folder = tmp_path_factory.mktemp("shop in a folder")
    table().to_csv(folder / "shop.csv", index=False)
    words = [COMMAND, "init", "shop.csv", "--target", "sold", "--json"]
    done = subprocess.run(words, cwd=folder, env=environment(), capture_output=True, text=True, check=True)
    answer = json.loads(done.stdout)
    assert answer["task"] == "binary"
    assert {c["name"]: c["role"] for c in answer["columns"]}["sold"] == "target"
    assert not (folder / ".evergreen/pipelines").exists()
    return folder


# ------------------------------------------------------------------------------------------------ init


def test_init_writes_a_definition_that_can_be_read(shop: Path) -> None:
    config = load_config(shop / "pipeline.yaml")
    assert (config.pipeline, config.task, config.data.target) == ("shop", "binary", "sold")
    assert config.feature_columns == ["size", "colour"]


@pytest.mark.parametrize("ending", ["parquet", "csv"])
def test_init_takes_tables_with_a_time(say: Say, ending: str, tmp_path: Path) -> None:
    rows = table(400).assign(at=pd.date_range("2025-01-01", periods=400, freq="h"), price=range(400))
    path = tmp_path / f"sales.{ending}"
    rows.to_parquet(path) if ending == "parquet" else rows.to_csv(path, index=False)
    said = say(tmp_path, "init", path.name, "--target", "price", "--timestamp", "at", "--out", "mine.yaml")
    assert (said.code, said.answer["pipeline"], said.answer["task"]) == (0, "mine.yaml", "regression")
    config = load_config(tmp_path / "mine.yaml")
    assert (config.split.by, config.data.timestamp) == ("time", "at")


def make_bad(folder: Path, kind: str) -> Path:
    """A table that cannot be used."""
    path = folder / ("cut.parquet" if kind == "cut" else f"{kind}.csv")
    if kind == "empty":
        path.write_text("")
    elif kind == "folder":
        path.mkdir()
    elif kind == "cut":
        table().to_parquet(path)
        path.write_bytes(path.read_bytes()[:-100])
    elif kind == "one-class":
        table().assign(sold="yes").to_csv(path, index=False)
    return path


@pytest.mark.parametrize(
    ("kind", "word"),
    [
        ("empty", "empty"),
        ("folder", "folder"),
        ("cut", "whole"),
        ("one-class", "1 value"),
        ("missing", "no such file"),
    ],
)
def test_a_table_that_cannot_be_used_is_refused(say: Say, kind: str, word: str, tmp_path: Path) -> None:
    path = make_bad(tmp_path, kind)
    check_error(say(tmp_path, "init", path.name, "--target", "sold"), 3, "DataError", word)
    assert not (tmp_path / "pipeline.yaml").exists()


def test_a_missing_target_is_named_with_what_is_there(say: Say, shop: Path) -> None:
    said = say(shop, "init", "shop.csv", "--target", "profit", "--out", "other.yaml")
    check_error(said, 2, "UsageError", "profit", "size, colour, sold")
    assert not (shop / "other.yaml").exists()


# ------------------------------------------------------------------------------------------------ definitions


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("pipeline: shop", "pipeline: [", ["bad.yaml, line"]),
        ("split:", "splat: 1\nsplit:", ["line {line}: splat: there is no such key"]),
        (
            "  target: sold",
            "  target: profit",
            ["line {line}: data.target", "'profit'", "size, colour, sold"],
        ),
        ("task: binary", "task: guess", ["line {line}: task", "'guess'", "binary"]),
        ("  test: 0.2", "  test: lots", ["line {line}: split.test", "lots"]),
    ],
    ids=["not-yaml", "unknown-key", "unknown-column", "unknown-word", "no-number"],
)
def test_a_mistake_in_a_definition_is_named_by_line_and_key(
    say: Say, shop: Path, tmp_path: Path, old: str, new: str, words: list[str]
) -> None:
    text = (shop / "pipeline.yaml").read_text()
    assert old in text
    (tmp_path / "bad.yaml").write_text(text.replace(old, new, 1))
    line = text[: text.index(old)].count("\n") + 1
    said = say(tmp_path, "train", "bad.yaml")
    check_error(said, 2, "ConfigError", "bad.yaml", *(word.format(line=line) for word in words))


@pytest.mark.parametrize("name", ["none.yaml", "folder.yaml", "binary.yaml"])
def test_a_definition_that_cannot_be_read(say: Say, name: str, tmp_path: Path) -> None:
    (tmp_path / "folder.yaml").mkdir()
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe\x00")
    check_error(say(tmp_path, "train", name), 2, "ConfigError", name)


# ------------------------------------------------------------------------------------------------ words


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (["train"], "pipeline"),
        (["train", "shop", "--quickly"], "--quickly"),
        (["guess"], "guess"),
        (["init", "shop.csv"], "--target"),
        (["monitor", "shop", "--since", "yesterday"], "--since"),
        (["train", "nobody"], "nobody"),
        (["history", "nobody"], "nobody"),
        (["report", "nobody"], "nobody"),
        (["status", "--home", "shop.csv"], "shop.csv"),
        (["apply", "pipeline.yaml"], "not running"),
    ],
    ids=lambda value: "-".join(value[:2]) if isinstance(value, list) else "",
)
def test_words_that_do_not_fit(say: Say, shop: Path, words: list[str], found: str) -> None:
    check_error(say(shop, *words), 2, "UsageError", found)


def test_without_a_champion_there_is_nothing_to_serve(tmp_path: Path) -> None:
    """The library says it; the command would start Prefect's server for each."""
    home = Home(tmp_path)
    for ask, words in ((require_champion, "no champion yet"), (previous_version, "no earlier champion")):
        with pytest.raises(UsageError, match=words):
            ask(home, "shop")


def test_without_json_a_person_is_told_on_standard_error(evergreen: Evergreen, tmp_path: Path) -> None:
    for words in (["train", "--quickly"], ["train", "nobody"]):
        done = evergreen(tmp_path, *words)
        assert (done.code, done.out) == (2, "")
        assert "Traceback" not in done.err
        assert "--quickly" in done.err or "nobody" in done.err


def test_what_needs_no_stack_answers_without_one(say: Say, shop: Path) -> None:
    status = say(shop, "status", "--home", "elsewhere")
    assert (status.code, status.answer) == (0, {"running": False, "endpoints": {}, "pipelines": []})
    history = say(shop, "history", "pipeline.yaml")
    empty = {"pipeline": "shop", "champions": [], "undone": [], "versions": [], "attempts": [], "batches": []}
    assert (history.code, history.answer) == (0, empty)
    down = say(shop, "down")
    assert (down.code, down.answer) == (0, {"stopped": []})


# ------------------------------------------------------------------------------------------------ training


@pytest.mark.slow
@pytest.mark.parametrize(
    ("rows", "kind", "word"),
    [
        (table().drop(columns="sold"), "DataError", "'sold'"),
        (table().assign(sold="yes"), "DataError", "one class only"),
        (table().assign(sold="maybe"), "DataRefused", "refused"),
    ],
    ids=["no-target", "one-class", "unheard-of"],
)
def test_training_on_rows_that_cannot_be_used(
    say_flow: Say, shop: Path, tmp_path: Path, rows: pd.DataFrame, kind: str, word: str
) -> None:
    shutil.copy(shop / "pipeline.yaml", tmp_path)
    rows.to_csv(tmp_path / "shop.csv", index=False)
    check_error(say_flow(tmp_path, "train", "pipeline.yaml"), 3, kind, word)
    assert Ledger.open(Home(tmp_path / ".evergreen")).champions("shop") == []
