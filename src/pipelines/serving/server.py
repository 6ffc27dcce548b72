"""The embedded host: `python -m pipelines.serving.server --home DIR --port N`, on loopback only."""

from __future__ import annotations

import argparse
import logging
import signal
import socket
import sys
from pathlib import Path

from pipelines.environment import set_environment, silence_telemetry
from pipelines.errors import EvergreenError, StackError
from pipelines.home import Home
from pipelines.serving.access import service_token

ADDRESS = "127.0.0.1"
# Batches are small: more threads in a call cost more than they bring, and take the cores from the event loop.
ONE_THREAD = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
GRACE_SECONDS = 10


def main(arguments: list[str] | None = None) -> int:
    """Serve until SIGTERM or Ctrl-C, then answer what is in hand and write the log. Returns the exit code."""
    parser = argparse.ArgumentParser(prog="pipelines.serving.server", description=__doc__)
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--port", type=int, required=True)
    options = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # uvicorn raises the signal again when it is done
    set_environment(ONE_THREAD)
    silence_telemetry()
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(message)s")
    try:
        serve(Home.at(options.home), options.port)
    except EvergreenError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    except KeyboardInterrupt:
        return 0
    return 0


def serve(home: Home, port: int) -> None:
    """Host the service for the champions in the home's ledger. Raises StackError if the port is taken."""
    import torch
    import uvicorn

    from pipelines.data.predictions.prediction_log import append_predictions
    from pipelines.ledger import Ledger
    from pipelines.serving.app import create_app
    from pipelines.serving.prediction_sink import PredictionSink

    torch.set_num_threads(1)
    listener = listen(port)
    ledger = Ledger.open(home)
    sink = PredictionSink(lambda pipeline, rows: append_predictions(home, pipeline, rows))
    app = create_app(ledger.served, sink, service_token(home))
    settings = uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,
        timeout_graceful_shutdown=GRACE_SECONDS,
        server_header=False,
    )
    uvicorn.Server(settings).run(sockets=[listener])


def listen(port: int) -> socket.socket:
    """A socket on loopback; raises StackError if the port cannot be had."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((ADDRESS, port))
    except (OSError, OverflowError) as error:
        listener.close()
        raise StackError(f"Port {port} on {ADDRESS}: {error}.", "Choose another port.") from error
    return listener


if __name__ == "__main__":
    sys.exit(main())
