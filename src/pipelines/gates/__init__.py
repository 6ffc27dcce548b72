"""Rules that a challenger must pass: pure functions from stored numbers to a verdict with its reason."""

from pipelines.gates.judging import judge, overall

__all__ = ["judge", "overall"]
