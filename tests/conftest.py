"""What holds for every test."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def environment_as_before() -> Iterator[None]:
    """What a test sets in the environment, as `connect` does, is no other test's."""
    before = dict(os.environ)
    yield
    os.environ.clear()
    os.environ.update(before)
