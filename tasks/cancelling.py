"""Where a cancel meets a training: in another thread than the one that Prefect interrupts, and afterwards."""

from __future__ import annotations

import signal
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from prefect import task

from pipelines.home import Home
from pipelines.outcomes import note_stopped
from pipelines.training.attempts import stop_attempt
from tasks.policies import NO_CACHE

if TYPE_CHECKING:
    from prefect.client.orchestration import SyncPrefectClient

NEVER = datetime.min.replace(tzinfo=UTC)
FIT = "fit-"  # what the names of `fit_model`'s runs begin with; the attempt's id follows


class UntilCancelled:
    """A watch that ends the training when its flow ends, while it runs in a thread of that flow.

    Prefect interrupts the main thread alone, which then waits for the others: a submitted step never hears of
    a cancel or Ctrl-C. The event that its runner sets for them is all there is to see.
    """

    def __init__(self) -> None:
        from prefect.context import FlowRunContext, TaskRunContext

        flow, step = FlowRunContext.get(), TaskRunContext.get()
        events = getattr(flow.task_runner, "_cancel_events", {}) if flow else {}
        self._over = events.get(step.task_run.id) if step else None

    def __call__(self, _rows: list[dict[str, Any]]) -> None:
        """Raises what Prefect raises in the main thread."""
        from prefect.exceptions import TerminationSignal

        if self._over is not None and self._over.is_set():
            raise TerminationSignal(signal.SIGTERM)


@task(task_run_name="stop-cancelled", cache_policy=NO_CACHE)
def stop_cancelled(home: Home) -> list[str]:
    """End trainings whose run was cancelled when nobody was left to hear of it; the attempts' ids."""
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.objects import StateType

    ended = [StateType.CANCELLED, StateType.CANCELLING]
    with get_client(sync_client=True) as client:
        cancelled = attempts_of(client, ended)
        others = attempts_of(client, [state for state in StateType if state not in ended])
    # A run that came after the cancelled one wanted the training, even if its process is gone.
    unwanted = [one for one, at in cancelled.items() if at > others.get(one, NEVER)]
    stopped = [one for one in sorted(unwanted) if stop_attempt(home, one)]
    for one in stopped:
        note_stopped(home, one)
    return stopped


def attempts_of(client: SyncPrefectClient, states: list[Any]) -> dict[str, datetime]:
    """The attempts that flow runs in these states were training, and when last, among the latest steps."""
    from prefect.client.schemas import filters
    from prefect.client.schemas.sorting import TaskRunSort

    runs = client.read_task_runs(
        flow_run_filter=filters.FlowRunFilter(
            state=filters.FlowRunFilterState(type=filters.FlowRunFilterStateType(any_=states))
        ),
        task_run_filter=filters.TaskRunFilter(name=filters.TaskRunFilterName(like_=FIT)),
        sort=TaskRunSort.EXPECTED_START_TIME_DESC,
        limit=200,
    )
    return {run.name.removeprefix(FIT): run.expected_start_time or NEVER for run in reversed(runs)}
