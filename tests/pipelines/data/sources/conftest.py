"""Servers of their own for the tests of sources: web, S3, PostgreSQL; each started once, on a free port."""

import functools
import http.server
import os
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest


@pytest.fixture(autouse=True)
def settled(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a test has just written counts as whole, also where its last line has no end."""
    monkeypatch.setattr("pipelines.data.sources.opening.SETTLED", 0.0)


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def web(tmp_path: Path) -> Iterator[str]:
    """The address of a server of the folder `tmp_path`; it cannot give parts of files."""
    handler = functools.partial(QuietHandler, directory=str(tmp_path))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of an empty bucket `rows` of an S3-compatible server, which the environment points at."""
    import s3fs
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "someone")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "a-secret-word")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    s3fs.S3FileSystem.clear_instance_cache()
    s3fs.S3FileSystem(anon=False).mkdir("rows")
    yield "s3://rows"
    httpx.post(f"http://{host}:{port}/moto-api/reset")
    s3fs.S3FileSystem.clear_instance_cache()
    server.stop()


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a PostgreSQL server, as its owner with a password."""
    places = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    initdb = str(places[-1]) if places else shutil.which("initdb")
    if initdb is None:
        pytest.skip("PostgreSQL's server is not installed: scripts/system-packages names it")
    folder = tmp_path_factory.mktemp("postgres")
    as_owner, port = owner_of(folder), free_port()
    word = folder / "word"
    word.write_text("pass word@1")
    word.chmod(0o644)
    data = folder / "data"
    init = [initdb, "-D", str(data), "-U", "keeper", "--pwfile", str(word), "-A", "scram-sha-256", "-N"]
    subprocess.run([*as_owner, *init], check=True, capture_output=True)
    options = ["-p", str(port), "-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories="]
    options += ["-c", "fsync=off", "-c", "timezone=America/New_York"]
    log = (folder / "log").open("wb")
    server = subprocess.Popen(
        [*as_owner, str(Path(initdb).with_name("postgres")), "-D", str(data), *options], stderr=log
    )
    wait_for(port, server)
    yield f"postgresql+psycopg://keeper:pass%20word%401@127.0.0.1:{port}/postgres"
    server.terminate()
    server.wait(30)
    log.close()


def owner_of(folder: Path) -> list[str]:
    """How to run a program as the folder's owner: PostgreSQL refuses to be run by root."""
    if os.getuid() != 0:
        return []
    shutil.chown(folder, "nobody")
    for parent in [folder, *folder.parents]:
        if parent.stat().st_uid == 0 and "pytest" in parent.name:
            parent.chmod(parent.stat().st_mode | 0o011)
    return ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups"]


def wait_for(port: int, server: subprocess.Popen[bytes]) -> None:
    """Until the server takes connections; it says so in its log, and a socket is enough to tell."""
    for _ in range(300):
        assert server.poll() is None, "PostgreSQL ended"
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise TimeoutError("PostgreSQL did not start")
