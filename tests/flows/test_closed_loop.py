"""The whole loop through a real Prefect server, automation, worker, MLflow, Ray and prediction service."""

from __future__ import annotations

import json
import signal
import subprocess
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.flows.conftest import BIN, City, environment, stack_processes
from tests.waiting import until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


def test_the_demo_closes_the_loop(city: City) -> None:
    code, history = city.evergreen("history", "rides")
    assert code == 0
    assert [c["version"] for c in history["champions"]] == [1, 2, 1, 2], "a change, then a practised rollback"
    first, second = history["champions"][:2]
    assert first["until"] == second["since"]
    assert second["cause"] == history["attempts"][1]["cause"]
    assert "Window from 2025-06-07" in second["why"]
    assert "one change started one training, by the automation" in city.log


def test_the_example_reaches_the_highest_band_in_every_section(city: City) -> None:
    code, answer = city.evergreen("audit", "rides")
    assert code == 0
    assert min(answer["sections"].values()) == answer["score"] > 5, answer
    assert "exceptional" in answer["band"]
    assert {a["test"] for a in answer["answers"] if a["answer"] == "missing"} == {"canary"}


def test_judging_again_changes_nothing(city: City) -> None:
    """All windows again, on the same rows and labels: same verdicts, the same cause, no new training."""
    code, answer = city.evergreen("monitor", "rides", "--since", "2025-05-01")
    assert code == 0
    verdicts = [w["verdict"] for w in answer["windows"]]
    assert verdicts == ["healthy", "healthy", "drift", "healthy", "degraded", "healthy"]
    causes = [w["cause"] for w in answer["windows"]]
    assert causes == [None] * 4 + [city.evergreen("history", "rides")[1]["champions"][1]["cause"], None]
    _, history = city.evergreen("history", "rides")
    assert len(history["attempts"]) == 2


def test_no_window_is_due_twice(city: City) -> None:
    assert city.evergreen("monitor", "rides") == (0, {"windows": []})


def test_status_names_what_runs(city: City) -> None:
    code, status = city.evergreen("status")
    assert code == 0
    assert set(status["endpoints"]) == {"prefect", "mlflow", "ray", "serving"}
    [rides] = status["pipelines"]
    assert (rides["name"], rides["champion"]) == ("rides", 2)
    assert rides["last_window"] == {"start": "2025-06-14 00:00:00", "verdict": "healthy"}
    rows = rides["last_batch"]["rows"]
    assert rows["accepted"] > 0
    assert rows["read"] == sum(rows[name] for name in ("known", "accepted", "quarantined", "refused"))


def test_everything_listens_on_loopback_alone(city: City) -> None:
    import psutil

    open_ports = [
        c.laddr
        for process in stack_processes(city.home)
        for c in process.net_connections("inet")
        if c.status == psutil.CONN_LISTEN
    ]
    assert open_ports
    assert {ip.removeprefix("::ffff:") for ip, _ in open_ports} <= {"127.0.0.1", "::1"}


def test_bad_data_is_refused_and_the_champion_stays(city: City, tmp_path: Path) -> None:
    bad = tmp_path / "bad.csv"
    bad.write_text(
        "time,zone,temperature,rain,wind,holiday,price,event_nearby,rides\n"
        + "\n".join(f"2025-07-01 {h:02d}:00,,20,0,1,no,2.5,none,12" for h in range(24))
    )
    code, answer = city.evergreen("train", "rides", "--data", str(bad))
    assert (code, answer["error"]["type"]) == (3, "DataRefused")
    assert "zone" in answer["error"]["message"]
    _, status = city.evergreen("status")
    assert status["pipelines"][0]["champion"] == 2


def test_from_the_ui_it_is_the_same_flow(city: City) -> None:
    """`prefect deployment run` does what the command does: here, takes in week 16 and judges a challenger."""
    before = len(city.evergreen("history", "rides")[1]["attempts"])
    api = city.evergreen("status")[1]["endpoints"]["prefect"] + "/api"
    command = [
        str(BIN / "prefect"),
        "deployment",
        "run",
        "training/rides",
        "--param",
        "reason=from the UI",
        "--watch",
    ]
    values = {**environment(), "PREFECT_API_URL": api, "PREFECT_HOME": str(city.home / "prefect")}
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
        env=values,
        stdin=subprocess.DEVNULL,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    attempts = city.evergreen("history", "rides")[1]["attempts"]
    assert len(attempts) == before + 1
    assert attempts[-1]["reason"] == "from the UI"
    code, again = city.evergreen("train", "rides")
    expected = {"promoted": (0, "reused")}.get(attempts[-1]["status"], (4, attempts[-1]["status"]))
    assert (code, again["status"]) == expected
    assert again["attempt"] == attempts[-1]["id"]
    assert len(city.evergreen("history", "rides")[1]["attempts"]) == before + 1


def test_a_flow_killed_in_training_registers_one_version(city: City) -> None:
    """SIGKILL the flow while the Ray job trains.

    The same command again attaches, and there is one version of the attempt.
    """
    slow = city.home / "rides" / "slow.yaml"
    text = city.definition.read_text().replace("pipeline: rides", "pipeline: rides-slow")
    slow.write_text(text.replace("\ntraining:\n", "\ntraining:\n  epochs: 20\n  patience: 20\n"))
    command = [str(BIN / "evergreen"), "train", str(slow), "--home", str(city.home)]
    flow = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=environment()
    )
    wait_for_epochs(city.home / "pipelines" / "rides-slow" / "attempts", 3, flow)
    flow.send_signal(signal.SIGKILL)
    flow.wait()
    code, answer = city.evergreen("train", str(slow))
    assert (code, answer["status"]) == (0, "promoted")
    assert versions_in_mlflow(city, "rides-slow") == [1]
    epochs = [
        row["epoch"]
        for row in read_lines(city.home / "pipelines" / "rides-slow" / "attempts" / answer["attempt"])
    ]
    assert epochs == list(range(1, 21)), "every epoch once: the training went on, it was not begun again"


def test_rollback_goes_back_and_is_remembered(city: City) -> None:
    before = city.evergreen("history", "rides")[1]["champions"]
    code, answer = city.evergreen("rollback", "rides", "--reason", "a test")
    assert (code, answer["version"]) == (0, before[-2]["version"])
    after = city.evergreen("history", "rides")[1]["champions"]
    assert (after[-1]["version"], after[-1]["why"]) == (before[-2]["version"], "a test")
    code, answer = city.evergreen("deploy", "rides", "--version", str(before[-1]["version"]), "--by", "Ada")
    assert (code, answer["version"]) == (0, before[-1]["version"])
    code, answer = city.evergreen("history", "rides", "--at", after[-1]["since"])
    assert (code, answer["champion"]["version"]) == (0, before[-2]["version"])
    cards = city.home / "pipelines" / "rides" / "reports" / "cards"
    back, again = ((cards / f"{before[n]['version']}.md").read_text() for n in (-2, -1))
    assert "a test" in back
    assert "| Ada |" in again


def test_the_report_is_one_page(city: City) -> None:
    code, answer = city.evergreen("report", "rides")
    page = Path(answer["report"]).read_text()
    assert code == 0
    assert "degraded" in page
    assert "http://" not in page.replace("http://www.w3.org", "")


def wait_for_epochs(attempts: Path, count: int, flow: subprocess.Popen[str]) -> None:
    def begun() -> bool:
        assert flow.poll() is None, flow.stderr and flow.stderr.read()
        return any(len(read_lines(folder)) >= count for folder in attempts.glob("*"))

    until(begun, 200)


def read_lines(folder: Path) -> list[dict[str, Any]]:
    path = folder / "progress.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def versions_in_mlflow(city: City, name: str) -> list[int]:
    url = city.evergreen("status")[1]["endpoints"]["mlflow"]
    words = {"filter": f"name = '{name}'"}
    found = httpx.get(f"{url}/api/2.0/mlflow/model-versions/search", params=words).raise_for_status().json()
    return [int(version["version"]) for version in found["model_versions"]]


ON_THE_CLUSTER = """
import sys
from pathlib import Path
from evergreen.stack import connect
from pipelines.config import load_config
from pipelines.data.ingestion import batches
from pipelines.data.ingestion import cluster
from pipelines.home import Home
connect(Home(Path(sys.argv[1])))
cluster.WORTH_IT = 1
config, home = load_config(sys.argv[2]), Home(Path(sys.argv[3]))
batch = batches.stage_batch(config, home)
cluster.WORTH_IT = 1 << 60
alone = batches.stage_batch(config, home)
print(batch.id == alone.id, batch.rows, batch.known, len(batch.sources), batch.problems)
"""


def test_large_files_are_read_by_tasks_on_the_cluster(city: City, tmp_path: Path) -> None:
    """The cluster stages the batch that this process stages alone, rows that several files have included."""
    (tmp_path / "in").mkdir()
    for number in range(3):
        lines = "".join(f"{row},{row % 7}\n" for row in range(number * 50, number * 50 + 60))
        (tmp_path / "in" / f"{number}.csv").write_text(f"a,y\n{lines}x,bad\n")
    definition = tmp_path / "pipeline.yaml"
    definition.write_text(
        "pipeline: p\ntask: regression\nmetric: rmse\ndata: {source: in, target: y}\n"
        "columns: {a: {type: category}, y: {type: number}}\nmodel: {kind: mlp}\n"
    )
    done = city.forks.run(ON_THE_CLUSTER, city.home, definition, tmp_path / "home")
    assert done.out.split() == ["True", "161", "22", "3", "1"], done.err
