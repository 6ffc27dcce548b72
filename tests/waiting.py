"""To wait for what happens in another thread or process: no test knows how long a busy machine takes."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

PATIENCE = 60.0  # seconds; a limit for what never comes, not a claim about speed


def until(condition: Callable[[], Any], seconds: float = PATIENCE) -> Any:
    """What `condition` answers once that is true."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, "it does not come"
        time.sleep(0.01)
    return found
