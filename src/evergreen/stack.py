"""The local stack, on loopback only: Prefect server and worker, MLflow, a Ray node, prediction service."""

from __future__ import annotations

import os
import re
import secrets
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from evergreen.processes import Process, free_ports, is_alive, start, stop_all, wait_for_http
from pipelines.environment import HOME_VARIABLE, child_environment, set_environment
from pipelines.errors import StackError
from pipelines.home import Home

POOL = "evergreen"
START_SECONDS = 120.0
LOOPBACK = "127.0.0.1"
TAKEN = re.compile("already in use|Failed to bind")
# MLflow's server would start eight processes of 250 MB each for jobs that judge language models.
NO_JOBS = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
Say = Callable[[str], None]


class Stack(BaseModel):
    """What runs, as `stack.json` keeps it."""

    model_config = ConfigDict(frozen=True)

    processes: list[Process] = []
    endpoints: dict[str, str] = {}
    ray_folder: str = ""

    @property
    def running(self) -> bool:
        return bool(self.processes) and all(is_alive(p) for p in self.processes)


def read_stack(home: Home) -> Stack:
    """The stack of a home; an empty one where none was started."""
    return Stack.model_validate_json(home.stack.read_text()) if home.stack.exists() else Stack()


def prefect_settings(home: Home) -> dict[str, str]:
    """How Prefect behaves in all our processes, with or without a server of its own."""
    return {
        "PREFECT_HOME": str(home.prefect),
        "PREFECT_PROFILES_PATH": str(home.prefect / "profiles.toml"),
        "PREFECT_LOGGING_EXTRA_LOGGERS": "evergreen",
        "PREFECT_LOGGING_LOGGERS_EVERGREEN_LEVEL": "INFO",
        "PREFECT_SERVER_LOGGING_LEVEL": "WARNING",
        # The server that Prefect starts for a flow without one makes its database first, which a busy machine
        # does slowly.
        "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "120",
        "PREFECT_WORKER_QUERY_SECONDS": "2",
        HOME_VARIABLE: str(home.root),
    }


def stack_settings(home: Home, endpoints: dict[str, str]) -> dict[str, str]:
    """What a process must know to use the running servers."""
    return {
        "PREFECT_API_URL": f"{endpoints['prefect']}/api",
        "MLFLOW_TRACKING_URI": endpoints["mlflow"],
        "EVERGREEN_SERVING_URL": endpoints["serving"],
        **ray_settings(home, endpoints["ray"]),
    }


def ray_settings(home: Home, url: str) -> dict[str, str]:
    """Where the cluster answers, token authentication, and settings that take seconds off each training (see
    docs/decisions.md)."""
    return {
        "EVERGREEN_RAY_JOBS": url,
        # What frees the workers of a driver that was killed looks for a cluster, and gives up where there are
        # several on one machine.
        "RAY_API_SERVER_ADDRESS": url,
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN_PATH": str(home.root / "ray-token"),
        "RAY_TRAIN_HEALTH_CHECK_INTERVAL_S": "0.1",
        "RAY_TRAIN_ENABLE_PREEMPTION_WATCHER": "0",
        "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",
        # Off, Ray leaves 127.0.0.1 as it is; on, it takes the outer address, so that other hosts can join,
        # and every part of it listens on all interfaces. Its name tells only where it is off by itself.
        "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
    }


def connect(home: Home) -> Stack:
    """Make this process use the running stack, or Prefect's own small server and local files without one."""
    stack = read_stack(home)
    home.prefect.mkdir(parents=True, exist_ok=True)
    set_environment(prefect_settings(home))
    if stack.running:
        set_environment(stack_settings(home, stack.endpoints))
    return stack


# ------------------------------------------------------------------------------------------------ up


def up(home: Home, say: Say) -> Stack:
    """Start what does not run, and return when all of it answers.

    Raises StackError, with nothing left running.
    """
    stack = read_stack(home)
    if stack.running:
        return stack
    down(home, say)
    home.root.mkdir(parents=True, exist_ok=True)
    write_secret(home.root / "ray-token")
    try:
        stack = start_stack(home, say)
    except StackError as error:
        # Between our looking for a free port and a server's listening on it, another may have taken it.
        if not TAKEN.search(error.message):
            raise
        say("A port was taken meanwhile: once more")
        stack = start_stack(home, say)
    home.stack.write_text(stack.model_dump_json(indent=1))
    return stack


def start_stack(home: Home, say: Say) -> Stack:
    """Start every server; where one does not, nothing is left running."""
    started: list[Process] = []
    # Unix sockets allow about 100 characters, fewer than many home folders have.
    ray_folder = tempfile.mkdtemp(prefix="evergreen-ray-")
    try:
        endpoints = start_all(home, Path(ray_folder), started, say)
    except BaseException:
        stop_all(started)
        shutil.rmtree(ray_folder, ignore_errors=True)
        raise
    return Stack(processes=started, endpoints=endpoints, ray_folder=ray_folder)


def start_all(home: Home, ray_folder: Path, started: list[Process], say: Say) -> dict[str, str]:
    """Start every server, then wait for each; their addresses."""
    ports = dict(
        zip(("prefect", "mlflow", "ray", "serving", "gcs", "client", "agent"), free_ports(7), strict=True)
    )
    endpoints = {name: f"http://{LOOPBACK}:{ports[name]}" for name in ("prefect", "mlflow", "ray", "serving")}
    environment = child_environment({**prefect_settings(home), **stack_settings(home, endpoints), **NO_JOBS})
    environment.pop("RAY_ADDRESS", None)
    commands = {
        "prefect": prefect_command(ports["prefect"]),
        "ray": ray_command(ports, ray_folder),
        "mlflow": mlflow_command(home, ports["mlflow"]),
        "serving": [
            sys.executable,
            "-m",
            "pipelines.serving.server",
            "--home",
            str(home.root),
            "--port",
            str(ports["serving"]),
        ],
    }
    for name, command in commands.items():
        say(f"Starting {name}: {endpoints[name]}")
        started.append(start(name, command, home.logs / f"{name}.log", environment))
    ray_token = (home.root / "ray-token").read_text().strip()
    health: dict[str, tuple[str, ...]] = {
        "prefect": ("/api/health",),
        "mlflow": ("/health",),
        "ray": ("/nodes?view=summary", "ALIVE", ray_token),  # it answers before it has a node to train on
        "serving": ("/health",),
    }
    for process in list(started):
        path, *wanted = health[process.name]
        await_server(process, endpoints[process.name] + path, wanted, home, say)
        if process.name == "prefect":
            say("Starting the Prefect worker")
            # Its runs' folder has one name for all users of a host, and belongs to the first.
            (ray_folder / "worker").mkdir()
            own = {**environment, "TMPDIR": str(ray_folder / "worker")}
            started.append(start("worker", worker_command(), home.logs / "worker.log", own))
    dead = [p.name for p in started if not is_alive(p)]
    if dead:
        raise StackError(f"{', '.join(dead)} ended soon after the start.", f"The logs are in {home.logs}.")
    return endpoints


def await_server(process: Process, url: str, wanted: list[str], home: Home, say: Say) -> None:
    """Return when a server answers as wanted. Raises StackError with the end of its log."""
    if not wait_for_http(url, process, START_SECONDS, *wanted):
        log = home.logs / f"{process.name}.log"
        tail = "\n".join(log.read_text(errors="replace").splitlines()[-8:])
        raise StackError(
            f"{process.name} did not start. The end of {log}:\n{tail}",
            "Look at the log; then `evergreen up` again.",
        )
    say(f"{process.name} answers")


def prefect_command(port: int) -> list[str]:
    return [sys.executable, "-m", "prefect", "server", "start", "--host", LOOPBACK, "--port", str(port)]


def worker_command() -> list[str]:
    return [
        sys.executable,
        "-m",
        "prefect",
        "worker",
        "start",
        "--pool",
        POOL,
        "--type",
        "process",
        "--name",
        "local",
    ]


def mlflow_command(home: Home, port: int) -> list[str]:
    """One worker process: SQLite wants few writers.

    Files are read and written directly, not through the server.
    """
    home.mlflow.mkdir(parents=True, exist_ok=True)
    store, artifacts = f"sqlite:///{home.mlflow / 'mlflow.db'}", (home.mlflow / "artifacts").as_uri()
    command = [
        sys.executable,
        "-m",
        "mlflow",
        "server",
        "--host",
        LOOPBACK,
        "--port",
        str(port),
        "--workers",
        "1",
    ]
    return [*command, "--backend-store-uri", store, "--default-artifact-root", artifacts]


def ray_command(ports: dict[str, int], folder: Path) -> list[str]:
    """A head node whose parts listen on loopback alone."""
    options = {
        "--node-ip-address": LOOPBACK,
        "--port": str(ports["gcs"]),
        "--dashboard-host": LOOPBACK,
        "--dashboard-port": str(ports["ray"]),
        "--ray-client-server-port": str(ports["client"]),
        "--dashboard-agent-listen-port": str(ports["agent"]),
        "--temp-dir": str(folder),
        "--object-store-memory": str(512 * 1024 * 1024),  # arrays travel as files; the store holds little
        "--include-dashboard": "true",
    }
    pairs = [f"{name}={value}" for name, value in options.items()]
    # Ray starts some of its parts by a shell, with paths that are not quoted: a link without a space leads
    # to ours.
    link = folder / "venv"
    link.symlink_to(sys.prefix)
    python = str(link / Path(sys.executable).relative_to(sys.prefix))
    return [
        python,
        "-m",
        "ray.scripts.scripts",
        "start",
        "--head",
        "--block",
        "--disable-usage-stats",
        *pairs,
    ]


def write_secret(path: Path) -> None:
    """A random token that only its owner can read, made once."""
    if not path.exists():
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(secrets.token_hex(32))


# ------------------------------------------------------------------------------------------------ down


def down(home: Home, say: Say) -> list[str]:
    """Stop what we started; the names of what ran."""
    stack = read_stack(home)
    stopped = [p.name for p in stack.processes if is_alive(p)]
    if stopped:
        say(f"Stopping {', '.join(stopped)}")
    stop_all(stack.processes)
    if stack.ray_folder:
        shutil.rmtree(stack.ray_folder, ignore_errors=True)
    home.stack.unlink(missing_ok=True)
    return stopped
