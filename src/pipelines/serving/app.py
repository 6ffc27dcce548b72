"""The prediction service as an ASGI app: one for all pipelines, for any host (`server` is ours)."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from fastapi import FastAPI, Request, Response
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from pipelines.records import ServedModel
from pipelines.scoring import Scorer
from pipelines.serving.access import is_authorised
from pipelines.serving.batching import MOST_WAITING, Batcher
from pipelines.serving.prediction_sink import Sink
from pipelines.serving.refusals import MalformedBody, Refusal, TooLarge, Unauthorised, error_body
from pipelines.serving.schema import parse_body
from pipelines.serving.switching import Load, Switchboard

MOST_BYTES = 8 * 2**20  # of a body: a thousand rows of a wide table, and some


def load_served(folder: Path, files: dict[str, str]) -> Scorer:
    """The bundle in `folder`; its package is imported here, in the thread that loads."""
    from pipelines.models.bundle import load_bundle

    return load_bundle(folder, files)


class Service:
    """What the routes share. Made before the event loop runs; `running` gives it life."""

    def __init__(self, switchboard: Switchboard, sink: Sink, token: str, most_waiting: int) -> None:
        self.switchboard = switchboard
        self.sink = sink
        self.token = token
        self.most_waiting = most_waiting
        self.executor = ThreadPoolExecutor(1, thread_name_prefix="predict")
        self.batchers: dict[str, Batcher] = {}

    @asynccontextmanager
    async def running(self, _app: FastAPI) -> AsyncIterator[None]:
        """Follow the served versions; at the end, after the last request, write what the log waits for."""
        follower = asyncio.create_task(self.switchboard.follow())
        try:
            yield
        finally:
            tasks = [follower, *(batcher.worker for batcher in self.batchers.values())]
            for task in tasks:
                task.cancel()
            for task in tasks:
                with suppress(asyncio.CancelledError):
                    await task
            self.executor.shutdown()
            await asyncio.to_thread(self.sink.close)

    async def predict(self, name: str, request: Request) -> Response:
        """Answer the rows of a request, and log them unless it says `?log=no`; raises Refusal."""
        self.admit(request)
        live = self.switchboard.find(name)
        rows = parse_body(await read_body(request))
        live = self.switchboard.live.get(name, live)  # the body may have taken its time
        columns = live.schema.parse(rows)
        logged = request.query_params.get("log") != "no"
        answer = await self.batcher(name).predict(live, columns, len(rows), logged)
        return reply({"pipeline": name, "version": answer.version, "predictions": answer.predictions})

    def describe(self, name: str, request: Request) -> Response:
        """What the version that answers takes: `inputs` must be sent, `optional` may; raises Refusal."""
        self.admit(request)
        live = self.switchboard.find(name)
        types, required = live.schema.types, live.schema.required
        return reply(
            {
                "pipeline": name,
                "version": live.served.version,
                "task": live.bundle.task,
                "inputs": {column: kind for column, kind in types.items() if column in required},
                "optional": {column: kind for column, kind in types.items() if column not in required},
            }
        )

    def health(self) -> Response:
        """How it goes, for anyone on this machine."""
        log = {
            "dropped": self.sink.dropped,
            "waiting_for_log": self.sink.waiting,
            "log_trouble": self.sink.trouble,
        }
        return reply({**self.switchboard.health(), **log})

    def admit(self, request: Request) -> None:
        """Raise Unauthorised unless the request carries the token."""
        if not is_authorised(request.headers.get("authorization"), self.token):
            raise Unauthorised(
                "The token is missing or wrong.",
                "Send `Authorization: Bearer TOKEN`; it is in the file `token` of the home.",
            )

    def batcher(self, name: str) -> Batcher:
        """The queue of a served pipeline."""
        if name not in self.batchers:
            self.batchers[name] = Batcher(self.executor, self.sink, self.most_waiting)
        return self.batchers[name]


async def read_body(request: Request) -> bytes:
    """The body, of a bounded size. Raises TooLarge before more than that is in memory."""
    parts: list[bytes] = []
    size = 0
    try:
        async for part in request.stream():
            size += len(part)
            if size > MOST_BYTES:
                raise TooLarge(f"The body has more than {MOST_BYTES} bytes.", "Send the rows in parts.")
            parts.append(part)
    except ClientDisconnect as error:
        raise MalformedBody("The caller has gone.", "Send the whole body.") from error
    return b"".join(parts)


def reply(content: object, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """A JSON response; numbers are finite by then."""
    body = json.dumps(content, allow_nan=False, separators=(",", ":"))
    return Response(body, status, headers, media_type="application/json")


async def on_refusal(_request: Request, error: Exception) -> Response:
    """A refusal as its status and the common shape."""
    assert isinstance(error, Refusal)  # noqa: S101  this is how mypy learns what the app registers it for
    headers = {401: {"WWW-Authenticate": "Bearer"}, 429: {"Retry-After": "1"}}.get(error.status)
    return reply(error_body(type(error).__name__, error.message, error.hint), error.status, headers)


async def on_http_error(_request: Request, error: Exception) -> Response:
    """An unknown path or method in the common shape."""
    status = error.status_code if isinstance(error, HTTPException) else 500
    reason = error.detail if isinstance(error, HTTPException) else "This is a fault of the service."
    hint = "Paths: POST /pipelines/NAME/predictions, GET /pipelines/NAME, GET /health."
    return reply(error_body("HTTPError", f"{status}: {reason}", hint), status)


def create_app(
    served: Callable[[], list[ServedModel]],
    sink: Sink,
    token: str,
    poll_seconds: float = 0.5,
    load: Load = load_served,
    most_waiting: int = MOST_WAITING,
) -> FastAPI:
    """The service over what `served` lists, asked every `poll_seconds`; it logs to `sink` and closes it."""
    service = Service(Switchboard(served, load, poll_seconds), sink, token, most_waiting)
    app = FastAPI(lifespan=service.running, docs_url=None, redoc_url=None, openapi_url=None)
    app.state.service = service
    app.add_exception_handler(Refusal, on_refusal)
    app.add_exception_handler(HTTPException, on_http_error)
    app.add_exception_handler(500, on_http_error)

    @app.post("/pipelines/{name}/predictions")
    async def predictions(name: str, request: Request) -> Response:
        return await service.predict(name, request)

    @app.get("/pipelines/{name}")
    async def pipeline(name: str, request: Request) -> Response:
        return service.describe(name, request)

    @app.get("/health")
    async def health() -> Response:
        return service.health()

    return app
