"""The same homes as in the tests of promotion."""

from tests.pipelines.promotion.conftest import empty_store, home

__all__ = ["empty_store", "home"]
