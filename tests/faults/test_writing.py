"""Bad input by how it is written: each kind has its answer, and nothing else happens."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.faults import column_cases, file_cases, text_cases, value_cases
from tests.faults.frame import Case, Form, Pipeline
from tests.faults.judging import judge

CASES = [*text_cases.CASES, *column_cases.CASES, *value_cases.CASES, *file_cases.CASES]


@pytest.mark.timeout(60)
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name.replace(" ", "-"))
def test_each_kind_has_its_answer(case: Case, pipeline_of: Callable[[Form], Pipeline]) -> None:
    judge(case, pipeline_of(case.form))
