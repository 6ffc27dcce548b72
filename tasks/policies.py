"""What several steps share: how often to try again, and what a finished step is known by."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

from prefect.cache_policies import NO_CACHE, CacheKeyFnPolicy
from prefect.context import TaskRunContext

from pipelines.errors import EvergreenError
from pipelines.evaluation.evaluate import fingerprint
from pipelines.models.bundle import is_intact
from pipelines.training.folder import AttemptFolder

__all__ = ["BY_ATTEMPT", "NO_CACHE", "READ_AGAIN", "unless"]

# Sources and servers that do not answer at once usually do within seconds.
READ_AGAIN: list[float] = [2, 5]


def unless(*answers: type[EvergreenError]) -> Callable[[object, object, object], bool]:
    """Try again, unless it ended with one of these: they would come again, what a library raised may pass."""

    def may_pass(_task: object, _run: object, state: object) -> bool:
        from prefect.states import get_state_exception
        from prefect.utilities.asyncutils import run_coro_as_sync

        return not isinstance(run_coro_as_sync(get_state_exception(state)), answers)  # type: ignore[arg-type]

    return may_pass


def attempt_key(context: TaskRunContext, parameters: dict[str, Any]) -> str:
    """Step, attempt, champion, what is measured: the attempt's id stands for data and what learns from it.

    A champion that is spoilt cannot be compared with, and is another once it is mended.
    The result's own file is part of it: where the attempt's folder was removed and made anew, or is another
    home's, what a step left there beside its result is not there either.
    """
    attempt, champion = parameters["attempt"], parameters.get("champion")
    result = AttemptFolder.of(attempt).result
    made = f"{result}:{result.stat().st_mtime_ns if result.exists() else 0}"
    intact = champion is not None and is_intact(Path(champion.folder), champion.files)
    measured = fingerprint(parameters["config"])
    key = f"{attempt.id}-{champion.version if champion else 'first'}-{intact}-{made}-{measured}"
    return f"{context.task.name}-{sha256(key.encode()).hexdigest()}"


BY_ATTEMPT = CacheKeyFnPolicy(cache_key_fn=attempt_key)
