"""Is this batch fit to learn from? Great Expectations measures, `decide` decides, `batch` writes it down."""

from pipelines.validation.batch import validate_batch
from pipelines.validation.report import render_validation

__all__ = ["render_validation", "validate_batch"]
