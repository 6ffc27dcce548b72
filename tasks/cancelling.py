"""Where a cancel meets a training: in another thread than the one that Prefect interrupts, and afterwards."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING, Any

from prefect import task

from pipelines.home import Home
from pipelines.training.attempts import stop_attempt
from tasks.policies import NO_CACHE

if TYPE_CHECKING:
    from prefect.client.orchestration import SyncPrefectClient

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

    with get_client(sync_client=True) as client:
        cancelled = attempts_of(client, [StateType.CANCELLED, StateType.CANCELLING])
        wanted = attempts_of(client, [StateType.RUNNING, StateType.PENDING, StateType.PAUSED])
    return [attempt for attempt in sorted(cancelled - wanted) if stop_attempt(home, attempt)]


def attempts_of(client: SyncPrefectClient, states: list[Any]) -> set[str]:
    """The attempts that flow runs in these states were training, among the latest steps."""
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
    return {run.name.removeprefix(FIT) for run in runs}
