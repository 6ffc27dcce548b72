"""Pipelines to spoil: each form is founded once, each case gets a copy."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults.frame import Form, Pipeline, copy_pipeline, found_pipeline

Found = Callable[[Form], Pipeline]


@pytest.fixture(scope="session")
def founded(tmp_path_factory: pytest.TempPathFactory) -> Found:
    """The pipeline of a form, with 300 rows and a champion; not to be spoilt."""
    pipelines: dict[str, Pipeline] = {}

    def found(form: Form) -> Pipeline:
        if form.name not in pipelines:
            pipelines[form.name] = found_pipeline(tmp_path_factory.mktemp("founded") / form.name, form)
        return pipelines[form.name]

    return found


@pytest.fixture
def pipeline_of(founded: Found, tmp_path: Path) -> Found:
    """A copy of the pipeline of a form, for one case."""
    return lambda form: copy_pipeline(founded(form), tmp_path)
