"""Every failure that a user can cause, each with what was found, where, what was expected and what to do.

EvergreenError          1   our fault or a system's
├── StackError          1   a server of the local stack does not start or answer
├── TrainingFailed      1   an attempt ended without a model
├── PromotionConflict   1   another promotion came first
├── PromotionReverted   1   a promotion was undone, the champion before it serves on
├── ModelUnusable       1   a registered model that is gone, was changed or does not load
├── UsageError          2   the command's words
│   └── ConfigError     2   pipeline.yaml: line and key are named
└── DataError           3   data that cannot be read or used
    └── DataRefused     3   data that a check refused
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class EvergreenError(Exception):
    """A failure with an answer: `message` says what was found and where, `hint` what to do."""

    exit_code = 1

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message, hint)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".strip()


class StackError(EvergreenError):
    """A server of the local stack does not start or does not answer."""


class TrainingFailed(EvergreenError):
    """An attempt ended without a model."""


class PromotionConflict(EvergreenError):
    """The champion is no longer the one that this promotion was judged against."""


class PromotionReverted(EvergreenError):
    """A version was to be champion, and did not answer as it should: the champion before it serves on."""


class ModelUnusable(EvergreenError):
    """A registered model that is gone, that is not the one recorded, or that does not load."""


class UsageError(EvergreenError):
    """The command was called with words that do not fit."""

    exit_code = 2


class ConfigError(UsageError):
    """A pipeline definition that cannot be used; the message names file, line and key."""


class DataError(EvergreenError):
    """Data that cannot be read or used."""

    exit_code = 3


class DataRefused(DataError):
    """A batch that a check refused as a whole; it is kept aside, nothing of it was used."""


@contextmanager
def writing(what: str, place: Path, then: str) -> Iterator[None]:
    """Raise EvergreenError where the disk is full, or not ours to write; `then` says where that leaves us."""
    try:
        yield
    except OSError as error:
        reason = re.sub(r"^.*\[errno \d+\] ", "", error.strerror or str(error), flags=re.IGNORECASE)
        raise EvergreenError(
            f"{place}: {what} could not be written: {reason}.",
            f"Make room or mend the permissions, then start again: {then}.",
        ) from error
