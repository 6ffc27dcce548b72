"""Training an attempt; submitted twice it attaches, so trying again is safe."""

from __future__ import annotations

import re
import time
from types import TracebackType
from typing import Any, Self, cast
from uuid import UUID

from prefect import task

from pipelines.config import PipelineConfig
from pipelines.home import Home
from pipelines.outcomes import accounted
from pipelines.progress import EpochLog, describe_epoch, epoch_table, log
from pipelines.records import Attempt, TrainedModel
from pipelines.registry.run_log import RunLog
from pipelines.training import attempts
from tasks.cancelling import UntilCancelled
from tasks.policies import NO_CACHE

SECONDS = 2.0  # between two updates of the artifact: each is a write of the server's


@task(task_run_name="fit-{attempt.id}", retries=0, cache_policy=NO_CACHE)
def fit_model(config: PipelineConfig, home: Home, attempt: Attempt) -> TrainedModel:
    """Train an attempt, or attach to it; log, MLflow and Prefect show its epochs, the ledger how it ended."""
    with (
        accounted(config, home, attempt),
        RunLog(config, home, attempt) as run,
        EpochArtifact(attempt) as page,
    ):
        return attempts.fit_model(config, attempt, [UntilCancelled(), EpochLog(), run, page])


class EpochArtifact:
    """A watch of a training, and a context: a progress bar with the run, at the end a table of epochs."""

    def __init__(self, attempt: Attempt) -> None:
        self.attempt = attempt
        self.key = re.sub(r"[^a-z0-9-]+", "-", f"{attempt.pipeline}-training".lower())
        self._rows: list[dict[str, Any]] = []
        self._bar: UUID | None = None
        self._due, self._shown = 0.0, 0

    def __call__(self, rows: list[dict[str, Any]]) -> None:
        self._rows.extend(rows)
        if len(self._rows) > self._shown and time.monotonic() >= self._due:
            self._due, self._shown = time.monotonic() + SECONDS, len(self._rows)
            last = self._rows[-1]
            self._show(100.0 * last["epoch"] / last["epochs"], describe_epoch(last))

    def _show(self, percent: float, words: str) -> None:
        from prefect.artifacts import create_progress_artifact, update_progress_artifact

        if self._bar is None:
            self._bar = cast("UUID", create_progress_artifact(percent, key=self.key, description=words))
        else:
            update_progress_artifact(self._bar, percent, description=words)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """A cancelled run waits for nobody; a server that does not answer costs the table, not the model."""
        if not self._rows or (error is not None and not isinstance(error, Exception)):
            return
        try:
            self._close(failed=error is not None)
        except Exception as problem:  # noqa: BLE001
            log.warning("The table of epochs is not shown: %s: %s", type(problem).__name__, problem)

    def _close(self, failed: bool) -> None:
        from prefect.artifacts import create_markdown_artifact

        last = self._rows[-1]
        percent = 100.0 * last["epoch"] / last["epochs"] if failed else 100.0
        self._show(percent, f"{'Failed' if failed else 'Done'}; last: {describe_epoch(last)}")
        create_markdown_artifact(
            epoch_table(self._rows), key=f"{self.key}-epochs", description=f"The epochs of {self.attempt.id}"
        )
