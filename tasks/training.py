"""Training an attempt; submitted twice it attaches, so trying again is safe."""

from __future__ import annotations

import re
from types import TracebackType
from typing import Any, Self, cast
from uuid import UUID

from prefect import task

from pipelines.background import Background
from pipelines.config import PipelineConfig
from pipelines.home import Home
from pipelines.outcomes import accounted
from pipelines.progress import describe_epoch, epoch_table
from pipelines.records import Attempt, TrainedModel
from pipelines.registry.run_log import RunLog
from pipelines.training import attempts
from tasks.cancelling import UntilCancelled
from tasks.policies import NO_CACHE

SECONDS = 2.0  # between two updates of the artifact: each is a write of the server's
LAST_SECONDS = 5.0  # for the table at the end, where a server hangs


@task(task_run_name="fit-{attempt.id}", retries=0, cache_policy=NO_CACHE)
def fit_model(config: PipelineConfig, home: Home, attempt: Attempt) -> TrainedModel:
    """Train an attempt, or attach to it; log, MLflow and Prefect show its epochs, the ledger how it ended."""
    with (
        accounted(config, home, attempt),
        RunLog(config, home, attempt) as run,
        EpochArtifact(attempt) as page,
    ):
        return attempts.fit_model(config, attempt, [UntilCancelled(), run, page])


class EpochArtifact:
    """A watch of a training, and a context: a progress bar with the run, at the end a table of epochs.

    A thread of its own talks to Prefect. A server that does not answer costs the table, not the model.
    """

    def __init__(self, attempt: Attempt) -> None:
        self.attempt = attempt
        self.key = re.sub(r"[^a-z0-9-]+", "-", f"{attempt.pipeline}-training".lower())
        self._rows: list[dict[str, Any]] = []
        self._bar: UUID | None = None
        self._shown = 0
        self._end: str | None = None
        self._background = Background(self._tell, SECONDS, "Prefect does not show the epochs")

    def __call__(self, rows: list[dict[str, Any]]) -> None:
        self._rows.extend(rows)

    def __enter__(self) -> Self:
        self._background.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """A cancelled run waits for nobody."""
        cancelled = error is not None and not isinstance(error, Exception)
        self._end = "Done" if error is None else "Failed"
        self._background.end(0.0 if cancelled else LAST_SECONDS)

    def _tell(self) -> None:
        """The latest epoch where there is a new one; the table when it is over."""
        end, rows = self._end, list(self._rows)
        if not rows:
            return
        last, words = rows[-1], describe_epoch(rows[-1])
        percent = 100.0 * last["epoch"] / last["epochs"]
        if end:
            self._show(100.0 if end == "Done" else percent, f"{end}; last: {words}")
            self._show_table(rows)
            self._rows.clear()  # all is told
        elif len(rows) > self._shown:
            self._show(percent, words)
        self._shown = len(rows)

    def _show(self, percent: float, words: str) -> None:
        from prefect.artifacts import create_progress_artifact, update_progress_artifact

        if self._bar is None:
            self._bar = cast("UUID", create_progress_artifact(percent, key=self.key, description=words))
        else:
            update_progress_artifact(self._bar, percent, description=words)

    def _show_table(self, rows: list[dict[str, Any]]) -> None:
        from prefect.artifacts import create_markdown_artifact

        create_markdown_artifact(
            epoch_table(rows), key=f"{self.key}-epochs", description=f"The epochs of {self.attempt.id}"
        )
