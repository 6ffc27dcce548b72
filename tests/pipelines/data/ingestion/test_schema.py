"""A change of schema is an answer: what changed, what it means, and the line that accepts it."""

from __future__ import annotations

from typing import Any

import pytest

from pipelines.config import PipelineConfig
from pipelines.errors import DataError

DEFINED = {"temp": "number", "zone": "category", "y": "number"}


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["temp", "zone", "y"], []),
        (["y", "zone", "temp"], []),
        ([" TEMP", "zone", "y"], ["' TEMP' is read as 'temp'. `temp: {type: number, also: [' TEMP']}`"]),
        (
            ["temp", "zone", "y", "promo"],
            ["column 'promo' is not in the definition", "`promo: {type: number}`"],
        ),
    ],
)
def test_what_is_accepted_is_said(table: Any, names: list[str], said: list[str]) -> None:
    table.columns = DEFINED
    cells = {"temp": "1.5", "zone": "a", "y": "2", "promo": "7"}
    row = ",".join(cells[name.strip().lower()] for name in names)
    batch, _ = table.take_in(f"{','.join(names)}\n{row}\n")
    text = " ".join(batch.warnings)
    assert bool(text) == bool(said)
    assert all(words in text for words in said) or "' TEMP'" in str(said)
    assert table.held() == [(1.5, "a", 2.0)]
    order = batch.sources[0].found["order"]
    assert order == ("another than in the definition" if names[0] == "y" else "as in the definition")


@pytest.mark.parametrize(
    ("names", "message", "line"),
    [
        (
            ["temperature", "zone", "y"],
            "no column 'temp' (the model learns from it)",
            "`temp: {type: number, also: ['temperature']}`",
        ),
        (["zone", "y"], "no column 'temp'", "`temp: {type: number, optional: true}`"),
        (["temp", "zone"], "no column 'y' (the target: nothing can be learnt without it)", "cannot be used"),
        (["temp", "Zone", "ZONE", "y"], "no column 'zone'", "also: ['Zone']"),
    ],
)
def test_what_is_not_is_answered_with_the_line_that_accepts_it(
    table: Any, names: Any, message: str, line: str
) -> None:
    table.columns = DEFINED
    table.write(",".join(names) + "\n" + ",".join("1" * len(names)) + "\n")
    with pytest.raises(DataError) as caught:
        table.stage()
    assert message in caught.value.message
    assert line in caught.value.hint


def test_the_lines_do_accept_it(table: Any) -> None:
    table.columns = {
        **DEFINED,
        "temp": {"type": "number", "also": ["temperature"]},
        "zone": {"type": "category", "optional": True},
    }
    table.take_in("temperature,y\n20,1\n")
    table.take_in("temp,zone,y\n20,,1\n21,b,2\n")
    assert [(t, z, y) for t, z, y in table.held()] == [(20.0, None, 1.0), (21.0, "b", 2.0)]


def test_another_type_is_named_cell_by_cell(table: Any) -> None:
    batch = table.take_in("a,y\nx,1\nz,many\n", {1: "bad"})[0]
    assert batch.problems == 1


def test_names_of_our_own_are_refused(table: Any) -> None:
    table.columns = {"_row": "number", "y": "number"}
    table.write("_row,y\n1,2\n")
    with pytest.raises(DataError, match="Evergreen's own"):
        table.stage()


def test_config_reads_durations_and_numbers() -> None:
    def late(value: Any) -> Any:
        data = {"source": "x", "target": "y", "watermark": {"column": "c", "late": value}}
        columns = {"y": {"type": "number"}, "c": {"type": "number"}}
        plain = {"pipeline": "p", "task": "regression", "metric": "rmse", "data": data, "columns": columns}
        watermark = PipelineConfig.model_validate(plain).data.watermark
        assert watermark is not None
        return watermark.late

    assert str(late("2 days")) == "2 days, 0:00:00"
    assert late(1000) == 1000.0
