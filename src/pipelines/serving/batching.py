"""Micro-batching: requests that wait at the same moment are predicted in one call."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import uuid
from collections import deque
from concurrent.futures import Executor
from dataclasses import dataclass

from pipelines.clock import now
from pipelines.errors import EvergreenError
from pipelines.records import ServedModel
from pipelines.scoring import Scorer, log_rows, score_frame
from pipelines.serving.prediction_sink import Sink
from pipelines.serving.refusals import Overloaded, PredictionFailed
from pipelines.serving.schema import Columns, Schema

BATCH_ROWS = 256
WAIT_SECONDS = 0.002
MOST_WAITING = 4_000  # rows of a pipeline in its queue: some tenths of a second of work

logger = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Live:
    """A model version that answers: loaded and warmed, never changed, only replaced."""

    served: ServedModel
    bundle: Scorer
    schema: Schema


@dataclass(frozen=True)
class Answer:
    """The predictions of one request, all of one version."""

    version: int
    predictions: list[dict[str, object]]


@dataclass(frozen=True, eq=False)
class Job:
    """A request that waits: its columns fit the signature of `live`, which it will be answered by."""

    live: Live
    columns: Columns
    rows: int
    logged: bool
    answer: asyncio.Future[Answer]


class Batcher:
    """The queue of one pipeline. A batch has one version: a switch in between starts a new batch."""

    def __init__(self, executor: Executor, sink: Sink, most_waiting: int = MOST_WAITING) -> None:
        self.executor = executor
        self.sink = sink
        self.most_waiting = most_waiting
        self.jobs: deque[Job] = deque()
        self.rows = 0  # waiting or being predicted
        self.expected = 1  # requests in the last batch: as many may come again
        self.arrived = asyncio.Event()
        self.gathered = asyncio.Event()
        self.worker = asyncio.create_task(self.work())

    async def predict(self, live: Live, columns: Columns, rows: int, logged: bool = True) -> Answer:
        """Answer a request by `live`. Raises Overloaded at once if too many rows wait, PredictionFailed."""
        if self.rows and self.rows + rows > self.most_waiting:
            raise Overloaded(f"{self.rows} rows are waiting for this pipeline.", "Try again in a second.")
        job = Job(live, columns, rows, logged, asyncio.get_running_loop().create_future())
        self.jobs.append(job)
        self.rows += rows
        self.arrived.set()
        if len(self.jobs) >= self.expected:
            self.gathered.set()
        try:
            return await job.answer
        finally:
            self.rows -= rows

    async def work(self) -> None:
        """Answer batch after batch, until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            await self.arrived.wait()
            await self.gather()
            batch = self.take()
            if not batch:
                continue
            results = await loop.run_in_executor(self.executor, answer_batch, batch, self.sink)
            for job, result in zip(batch, results, strict=True):
                deliver(job, result)

    async def gather(self) -> None:
        """Wait, 2 ms at most, for as many requests as came last time; a lone caller never waits."""
        if len(self.jobs) < self.expected:
            self.gathered.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.gathered.wait(), WAIT_SECONDS)

    def take(self) -> list[Job]:
        """The next requests of one version, up to the size of a batch (a larger request goes alone)."""
        batch: list[Job] = []
        rows = 0
        while self.jobs and fits(self.jobs[0], batch, rows):
            job = self.jobs.popleft()
            if not job.answer.done():  # its caller may have gone
                batch.append(job)
                rows += job.rows
        self.expected = max(1, len(batch))
        if not self.jobs:
            self.arrived.clear()
        return batch


def fits(job: Job, batch: list[Job], rows: int) -> bool:
    """Whether a request may join a batch that has `rows` so far."""
    return not batch or (job.live is batch[0].live and rows + job.rows <= BATCH_ROWS)


def deliver(job: Job, result: Answer | Exception) -> None:
    """Hand the result to the request, if it still waits."""
    if job.answer.done():
        return
    if isinstance(result, Answer):
        job.answer.set_result(result)
    else:
        job.answer.set_exception(result)


def answer_batch(batch: list[Job], sink: Sink) -> list[Answer | Exception]:
    """An answer for each request: all in one call, or one by one when that fails: a bad one fails alone."""
    try:
        return list(predict_together(batch, sink))
    except Exception as error:  # noqa: BLE001  a model may raise anything
        if len(batch) > 1:
            return [answer_batch([job], sink)[0] for job in batch]
        logger.warning(
            "%s could not answer a request: %s", batch[0].live.served.pipeline, type(error).__name__
        )
        return [failure(error)]


def failure(error: Exception) -> PredictionFailed:
    """What the caller is told when the model raises; only our own messages are passed on."""
    reason = error.message if isinstance(error, EvergreenError) else f"it raised {type(error).__name__}."
    return PredictionFailed(f"The model could not answer: {reason}", "Nothing of this request was logged.")


def predict_together(batch: list[Job], sink: Sink) -> list[Answer]:
    """Predict the rows of several requests in one call, hand them to the log, and deal the answers out."""
    live = batch[0].live
    columns = {name: [value for job in batch for value in job.columns[name]] for name in live.schema.types}
    frame = live.schema.frame(columns)
    version = live.served.version
    scores = score_frame(live.bundle, frame, [uuid.uuid4().hex for _ in range(len(frame))])
    log = log_rows(live.bundle, frame, scores, version, "online", now())
    names = list(scores.columns)
    rows = zip(*(scores[name].tolist() for name in names), strict=True)
    answers = [dict(zip(names, row, strict=True)) for row in rows]
    kept = [job.logged for job in batch for _ in range(job.rows)]
    if any(kept):
        sink.put(live.served.pipeline, log if all(kept) else log[kept])
    dealt: list[Answer] = []
    start = 0
    for job in batch:
        dealt.append(Answer(version, answers[start : start + job.rows]))
        start += job.rows
    return dealt
