"""Requests a second of the prediction service, against a plain FastAPI app that predicts request by request.

    python benchmarks/serving.py [--seconds 4] [--connections 16 1]

Both hold the same gradient boosting (scikit-learn, 20 columns), one row a request, on this machine's CPU;
the load comes from a process of its own. The service checks the token and logs; the plain app does not.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import sys
import time
from pathlib import Path
from typing import Any

from pipelines.environment import set_environment

COLUMNS = [f"c{i}" for i in range(20)]
TOKEN = "benchmark"  # noqa: S105
BODY = json.dumps({"rows": [dict.fromkeys(COLUMNS, 0.5)]}).encode()
PORTS = {"plain": 18911, "service": 18912}


class Boosting:
    """The stand-in for a bundle: gradient boosting on 20 numbers."""

    task = "regression"
    features = inputs = COLUMNS
    timestamp = None
    column_types = dict.fromkeys(COLUMNS, "number")

    def __init__(self) -> None:
        import numpy as np
        from sklearn.ensemble import HistGradientBoostingRegressor

        random = np.random.default_rng(7)
        x = random.normal(size=(5000, len(COLUMNS)))
        self.model = HistGradientBoostingRegressor(max_iter=100).fit(x, x[:, 0] * 2 + x[:, 1] ** 2)

    def predict(self, frame: Any) -> Any:
        import pandas as pd

        return pd.DataFrame({"prediction": self.model.predict(frame.to_numpy())}, index=frame.index)


def plain_app(bundle: Boosting) -> Any:
    import pandas as pd
    from fastapi import FastAPI

    app = FastAPI()

    @app.post("/pipelines/p/predictions")
    def predict(body: dict[str, list[dict[str, float]]]) -> dict[str, list[float]]:
        return {"predictions": bundle.predict(pd.DataFrame(body["rows"]))["prediction"].tolist()}

    return app


def service_app(bundle: Boosting) -> Any:
    from pipelines.records import ServedModel
    from pipelines.serving.app import create_app
    from pipelines.serving.prediction_sink import PredictionSink

    served = ServedModel(pipeline="p", version=1, folder=".", files={})
    sink = PredictionSink(lambda _pipeline, rows: len(rows))
    return create_app(lambda: [served], sink, TOKEN, load=lambda _folder, _files: bundle)  # type: ignore[arg-type,return-value]


def host(kind: str) -> None:
    """Serve one of the two until terminated."""
    set_environment({"OMP_NUM_THREADS": "1"})
    import uvicorn

    app = {"plain": plain_app, "service": service_app}[kind](Boosting())
    uvicorn.run(app, host="127.0.0.1", port=PORTS[kind], log_level="warning", access_log=False)


async def connection(port: int, end: float, took: list[float]) -> None:
    """One caller that sends the next request when the last is answered."""
    head = f"POST /pipelines/p/predictions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\n"
    message = f"{head}Content-Type: application/json\r\nContent-Length: {len(BODY)}\r\n\r\n".encode() + BODY
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    while time.perf_counter() < end:
        start = time.perf_counter()
        writer.write(message)
        header = await reader.readuntil(b"\r\n\r\n")
        if b" 200 " not in header[:16]:
            raise SystemExit(f"unexpected answer: {header!r}")
        length = next(int(x[15:]) for x in header.split(b"\r\n") if x.lower().startswith(b"content-length:"))
        await reader.readexactly(length)
        took.append(time.perf_counter() - start)
    writer.close()


async def load(port: int, seconds: float, connections: int) -> list[float]:
    """Seconds that each request took, of `connections` callers at once."""
    took: list[float] = []
    end = time.perf_counter() + seconds
    await asyncio.gather(*(connection(port, end, took) for _ in range(connections)))
    return sorted(took)


def wait(port: int) -> None:
    """Return when the server answers a prediction."""
    for _ in range(300):
        try:
            asyncio.run(load(port, 0.01, 1))
        except (OSError, SystemExit, asyncio.IncompleteReadError):
            time.sleep(0.1)
        else:
            return
    raise SystemExit(f"no answer on port {port}")


def measure(kind: str, seconds: float, connections: int) -> float:
    """Start one of the two, load it, print its line; requests a second."""
    process = multiprocessing.get_context("spawn").Process(target=host, args=(kind,))
    process.start()
    try:
        wait(PORTS[kind])
        took = asyncio.run(load(PORTS[kind], seconds, connections))
    finally:
        process.terminate()
        process.join()
    rate = len(took) / seconds
    p50, p99 = took[len(took) // 2] * 1e3, took[int(len(took) * 0.99)] * 1e3
    sys.stdout.write(
        f"{kind:8} {connections:3} connections  {rate:7.0f} requests/s  p50 {p50:.1f} ms  p99 {p99:.1f} ms\n"
    )
    sys.stdout.flush()
    return rate


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=4)
    parser.add_argument("--connections", type=int, nargs="*", default=[16, 1])
    options = parser.parse_args()
    for connections in options.connections:
        plain, service = (measure(kind, options.seconds, connections) for kind in ("plain", "service"))
        sys.stdout.write(f"         {connections:3} connections  service / plain: {service / plain:.2f}\n")


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parent))
    main()
