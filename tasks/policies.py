"""What several steps share: how often to try again, and what a finished step is known by."""

from __future__ import annotations

from typing import Any

from prefect.cache_policies import NO_CACHE, CacheKeyFnPolicy
from prefect.context import TaskRunContext

__all__ = ["BY_ATTEMPT", "NO_CACHE", "READ_AGAIN"]

# Sources and servers that do not answer at once usually do within seconds.
READ_AGAIN: list[float] = [2, 5]


def attempt_key(context: TaskRunContext, parameters: dict[str, Any]) -> str:
    """Step, attempt and champion: the attempt's id stands for data, definition and version of the code."""
    champion = parameters.get("champion")
    return f"{context.task.name}-{parameters['attempt'].id}-{champion.version if champion else 'first'}"


BY_ATTEMPT = CacheKeyFnPolicy(cache_key_fn=attempt_key)
