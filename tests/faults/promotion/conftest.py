"""The same homes as in the tests of promotion."""

from tests.pipelines.conftest import empty_store
from tests.pipelines.promotion.conftest import home

__all__ = ["empty_store", "home"]
