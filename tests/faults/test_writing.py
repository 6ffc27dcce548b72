"""Bad input by how a file is written."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from pipelines.errors import DataError
from tests.faults.frame import Case, Form, Pipeline, file, to_csv
from tests.faults.judging import judge

CASES = [
    Case("good", file(to_csv), accepted=60),
    Case("empty file", file(lambda rows: ""), DataError, (r"delivery\.csv is empty", "0 bytes")),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name.replace(" ", "-"))
def test_each_kind_has_its_answer(case: Case, pipeline_of: Callable[[Form], Pipeline]) -> None:
    judge(case, pipeline_of(case.form))
