"""The embedded host as it is run: a process, with a real ledger and a real Delta log."""

from __future__ import annotations

import json
import signal
import socket
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from pipelines.config import ColumnType, Model
from pipelines.data.storage.tables import open_table
from pipelines.environment import child_environment
from pipelines.errors import StackError
from pipelines.home import Home
from pipelines.ledger import Ledger
from pipelines.models.bundle import FEATURES, Description, begin_bundle, hash_files
from pipelines.models.features import fit_features, transform
from pipelines.models.networks import find_bins
from pipelines.records import ServedModel
from pipelines.serving import client, server
from pipelines.serving.access import service_token

TYPES: dict[str, ColumnType] = {"x": "number", "category": "category"}


def make_model(folder: Path, scale: float, version: int) -> ServedModel:
    """A real bundle that has learnt y = scale * x, roughly."""
    import skops.io
    from sklearn.ensemble import HistGradientBoostingRegressor

    frame = pd.DataFrame({"x": [float(i % 50) for i in range(300)], "category": ["a", "b", None] * 100})
    steps = fit_features(frame, TYPES)
    matrix = transform(steps, frame, TYPES)
    description = Description(
        kind="gradient_boosting",
        task="regression",
        target="y",
        timestamp=None,
        types=TYPES,
        classes=[],
        bins=find_bins(matrix),
        cardinalities=[],
        model=Model(kind="gradient_boosting"),
    )
    folder.mkdir(parents=True, exist_ok=True)
    skops.io.dump(steps, folder.parent / FEATURES)
    begin_bundle(folder, description, folder.parent / FEATURES)
    boosting = HistGradientBoostingRegressor().fit(matrix, frame["x"] * scale)
    skops.io.dump([boosting], folder / "estimator.skops")
    return ServedModel(pipeline="rides", version=version, folder=str(folder), files=hash_files(folder))


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def launch(home: Home, port: int) -> subprocess.Popen[str]:
    command = [
        sys.executable,
        "-m",
        "pipelines.serving.server",
        "--home",
        str(home.root),
        "--port",
        str(port),
    ]
    return subprocess.Popen(command, env=child_environment(), stderr=subprocess.PIPE, text=True)


def test_a_server_answers_switches_and_leaves_a_whole_log(tmp_path: Path) -> None:
    home, port = Home(tmp_path / "a home"), free_port()
    url, token = f"http://127.0.0.1:{port}", service_token(home)
    ledger = Ledger.open(home)
    ledger.serve(make_model(home.root / "m1", 10, 1))
    process = launch(home, port)
    try:
        client.wait_until_serving(url, "rides", 1, 60)

        def ask(i: int) -> dict[str, Any]:
            return client.predict(url, token, "rides", [{"x": i % 50, "category": "a"}] * (1 + i % 3))

        with ThreadPoolExecutor(4) as pool:
            first = list(pool.map(ask, range(20)))
            ledger.serve(make_model(home.root / "m2", -10, 2))
            client.wait_until_serving(url, "rides", 2, 20)
            answers = first + list(pool.map(ask, range(20)))
        process.send_signal(signal.SIGTERM)  # less than a second after the last answer
        assert process.wait(20) == 0
    finally:
        process.kill()
    assert process.stderr is not None
    assert process.stderr.read() == ""
    table = open_table(home.pipeline("rides").predictions)
    assert table is not None
    log = table.to_pyarrow_dataset().to_table().to_pandas()
    sent = sorted(
        (p["prediction_id"], a["version"], p["prediction"]) for a in answers for p in a["predictions"]
    )
    assert sorted(zip(log["_id"], log["_version"], log["_prediction"], strict=True)) == sent
    assert {version for _, version, _ in sent} == {1, 2}
    assert all(value * (1 if version == 1 else -1) > -1 for _, version, value in sent)


def test_a_taken_port_is_one_clear_line(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(StackError, match="Choose another port"):
            server.listen(taken.getsockname()[1])


def test_the_service_listens_on_loopback_only() -> None:
    with server.listen(0) as listener:
        assert listener.getsockname()[0] == "127.0.0.1"


def test_the_token_is_made_once_and_is_its_owners_alone(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    with ThreadPoolExecutor(8) as pool:
        tokens = set(pool.map(lambda _: service_token(home), range(16)))
    assert len(tokens) == 1
    assert len(tokens.pop()) >= 40
    assert stat.S_IMODE(home.token.stat().st_mode) == 0o600
    assert [path.name for path in home.root.iterdir()] == ["token"]


def test_importing_the_service_loads_nothing_heavy() -> None:
    modules = [
        "scoring",
        "serving.client",
        "serving.access",
        "serving.schema",
        "serving.batching",
        "serving.switching",
    ]
    heavy = ["pandas", "numpy", "torch", "httpx", "sklearn", "deltalake", "fastapi"]
    names = ", ".join(f"pipelines.{name}" for name in modules)
    program = f"import sys, json, {names}; print(json.dumps([m for m in {heavy} if m in sys.modules]))"
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert json.loads(result.stdout) == []
