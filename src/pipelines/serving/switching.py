"""The switch of version: a new model is loaded while the old one answers, then takes over at once."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pipelines.errors import EvergreenError
from pipelines.records import ServedModel
from pipelines.scoring import Scorer
from pipelines.serving.batching import Live
from pipelines.serving.refusals import NoModel, UnknownPipeline
from pipelines.serving.schema import Schema

Served = Callable[[], list[ServedModel]]
Load = Callable[[Path, dict[str, str]], Scorer]

RETRY_SECONDS = 1.0
MOST_RETRY_SECONDS = 30.0

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class LoadFailure:
    """A version that did not load; it is tried again at `retry_at` (monotonic), `delay` seconds later."""

    served: ServedModel
    message: str
    delay: float
    retry_at: float


class Switchboard:
    """Which model answers for which pipeline; follows `served`, which is asked every `poll_seconds`."""

    def __init__(self, served: Served, load: Load, poll_seconds: float) -> None:
        self.served = served
        self.load = load
        self.poll_seconds = poll_seconds
        self.wanted: dict[str, ServedModel] | None = None
        self.live: dict[str, Live] = {}
        self.failures: dict[str, LoadFailure] = {}
        self.trouble: str | None = None

    def find(self, pipeline: str) -> Live:
        """The model that answers now. Raises UnknownPipeline or NoModel."""
        live = self.live.get(pipeline)
        if live is not None:
            return live
        if self.wanted is not None and pipeline not in self.wanted:
            names = ", ".join(self.wanted) or "none yet"
            raise UnknownPipeline(
                f"No pipeline {ascii(pipeline)[:80]} is served.", f"Those served are: {names}."
            )
        failed = self.failures.get(pipeline)
        reason = (
            f"version {failed.served.version} does not load: {failed.message}"
            if failed
            else "it is being loaded."
        )
        raise NoModel(f"No model of {ascii(pipeline)[:80]} is ready: {reason}", "Try again in a moment.")

    async def follow(self) -> None:
        """Keep up with `served` until cancelled; no failure ends it."""
        while True:
            await self.refresh()
            await asyncio.sleep(self.poll_seconds)

    async def refresh(self) -> None:
        """Ask once what is to be served and make it so; what answers is left alone if asking fails."""
        try:
            wanted = {model.pipeline: model for model in await asyncio.to_thread(self.served)}
        except Exception as error:  # noqa: BLE001  a locked or missing ledger must not stop predictions
            self.note_trouble(f"What is to be served cannot be read: {describe(error)}")
            return
        self.trouble = None
        self.wanted = wanted
        for pipeline in [name for name in [*self.live, *self.failures] if name not in wanted]:
            self.live.pop(pipeline, None)
            self.failures.pop(pipeline, None)
        for model in wanted.values():
            if self.is_due(model):
                await self.switch(model)

    def is_due(self, model: ServedModel) -> bool:
        """Whether `model` is to be loaded now: not the one that answers, nor one that failed a moment ago."""
        live = self.live.get(model.pipeline)
        if live is not None and live.served == model:
            self.failures.pop(model.pipeline, None)
            return False
        failed = self.failures.get(model.pipeline)
        return failed is None or failed.served != model or time.monotonic() >= failed.retry_at

    async def switch(self, model: ServedModel) -> None:
        """Prepare `model` in a thread, then let it answer; if it does not load, the old one goes on."""
        try:
            live = await asyncio.to_thread(self.prepare, model)
        except Exception as error:  # noqa: BLE001  a broken bundle may raise anything
            self.note_failure(model, describe(error))
        else:
            self.live[model.pipeline] = live
            self.failures.pop(model.pipeline, None)

    def prepare(self, model: ServedModel) -> Live:
        """Load a version and let it answer once, so that its first caller does not wait."""
        bundle = self.load(Path(model.folder), model.files)
        live = Live(model, bundle, Schema.of(bundle))
        bundle.predict(live.schema.missing_row())
        return live

    def note_failure(self, model: ServedModel, message: str) -> None:
        """Remember a version that did not load, and wait longer each time before it is tried again."""
        last = self.failures.get(model.pipeline)
        again = last is not None and last.served == model
        delay = min(last.delay * 2, MOST_RETRY_SECONDS) if last is not None and again else RETRY_SECONDS
        if not again:
            logger.warning("%s version %d does not load: %s", model.pipeline, model.version, message)
        self.failures[model.pipeline] = LoadFailure(model, message, delay, time.monotonic() + delay)

    def note_trouble(self, message: str) -> None:
        if message != self.trouble:
            logger.warning("%s", message)
        self.trouble = message

    def health(self) -> dict[str, object]:
        """What answers, and what does not: `ok` when each pipeline has the version that it is to have."""
        wanted = {name: model.version for name, model in (self.wanted or {}).items()}
        versions = {name: live.served.version for name, live in self.live.items()}
        failures = {n: {"version": f.served.version, "message": f.message} for n, f in self.failures.items()}
        ok = self.wanted is not None and wanted == versions and not failures and self.trouble is None
        return {
            "ok": ok,
            "versions": versions,
            "wanted": wanted,
            "failures": failures,
            "trouble": self.trouble,
        }


def describe(error: Exception) -> str:
    """A failure in words: our own message, or the type and text of another's."""
    return error.message if isinstance(error, EvergreenError) else f"{type(error).__name__}: {error}"
