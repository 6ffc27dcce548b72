"""A driver is started once, and none is left behind."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest

from pipelines.environment import set_environment
from pipelines.errors import StackError
from pipelines.records import Attempt, Snapshot
from pipelines.training import launchers, processes
from pipelines.training.folder import AttemptFolder
from pipelines.training.launchers import ChildProcess, RayJob
from pipelines.training.processes import take_warm, warm_driver


@pytest.fixture
def attempt(tmp_path: Path) -> Attempt:
    snapshot = Snapshot.model_construct(pipeline="flights", version=1, uri="", rows=1, fingerprint="0")
    return Attempt.model_construct(
        id="flights-1", pipeline="flights", snapshot=snapshot, folder=str(tmp_path)
    )


def sleepers() -> list[int]:
    return [p.pid for p in psutil.Process().children() if p.cmdline()[:2] == ["sleep", "98"]]


@pytest.fixture
def deaf(monkeypatch: pytest.MonkeyPatch) -> None:
    """A driver that starts and never takes its lock."""
    monkeypatch.setattr(processes, "driver_command", lambda *words: ["sleep", "98"])
    monkeypatch.setattr(launchers, "LOCK_SECONDS", 0.1)


def test_a_driver_that_never_takes_its_lock_is_killed(attempt: Attempt, deaf: None) -> None:
    launcher = ChildProcess(attempt)
    launcher.start()
    assert (launcher.running(), sleepers()) == (False, [])


def test_an_interrupt_while_a_driver_starts_leaves_none_behind(
    attempt: Attempt, deaf: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    launcher = ChildProcess(attempt)

    def interrupted() -> bool:
        assert len(sleepers()) <= 1
        raise KeyboardInterrupt

    monkeypatch.setattr(launcher, "running", interrupted)
    with pytest.raises(KeyboardInterrupt):
        launcher.start()
    assert sleepers() == []


def test_a_driver_started_ahead_ends_with_the_block_and_with_its_environment(
    deaf: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EVERGREEN_TEST", "old")
    with warm_driver():
        assert processes._warm[0].process.poll() is None
        set_environment({"EVERGREEN_TEST": "new"})
        assert take_warm(io.BytesIO()) is None
        processes.warm_up()
        assert processes._warm
    assert (take_warm(io.BytesIO()), sleepers()) == (None, [])


@pytest.mark.parametrize("dies", ["before it is asked", "when it is asked"])
def test_what_a_driver_started_ahead_said_before_it_died_is_in_the_log(
    attempt: Attempt, monkeypatch: pytest.MonkeyPatch, dies: str
) -> None:
    script = f"echo the disk is broken; {'cat' if dies == 'when it is asked' else 'true'}; exit 1"
    command = {"--wait": ["sh", "-c", script]}
    monkeypatch.setattr(processes, "driver_command", lambda word: command.get(word, ["true"]))
    with warm_driver():
        if dies == "before it is asked":
            processes._warm[0].process.wait()
        ChildProcess(attempt).start()
    assert "the disk is broken" in AttemptFolder.of(attempt).log.read_text()


class Cluster:
    """Ray's client, faked: no real cluster loses an answer on demand."""

    def __init__(self, keeps: bool) -> None:
        self.keeps, self.jobs, self.asked = keeps, list[Any](), 0

    def list_jobs(self) -> list[Any]:
        return self.jobs

    def submit_job(self, submission_id: str, entrypoint: str, **words: Any) -> None:
        self.asked += 1
        if not self.keeps:
            raise RuntimeError("Request failed with status code 500: no room.")
        if self.jobs:
            raise RuntimeError(f"Request failed with status code 500: {submission_id} already exists.")
        self.jobs.append(SimpleNamespace(submission_id=submission_id, entrypoint=entrypoint))
        raise ConnectionError("the answer is lost")


def ray_job(attempt: Attempt, cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> RayJob:
    monkeypatch.setattr("ray.job_submission.JobSubmissionClient", lambda address: cluster)
    return RayJob(attempt, "http://nowhere")


def test_a_submission_whose_answer_is_lost_is_there(
    attempt: Attempt, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster = Cluster(keeps=True)
    ray_job(attempt, cluster, monkeypatch).start()
    assert (cluster.asked, [j.submission_id for j in cluster.jobs]) == (2, [attempt.id])


def test_a_job_computes_with_as_many_threads_as_its_caller_asks_for(
    attempt: Attempt, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(launchers, "driver_command", lambda folder: ["printenv", "OMP_NUM_THREADS"])
    monkeypatch.setenv("OMP_NUM_THREADS", "3")  # as `reproduce` does
    cluster = Cluster(keeps=True)
    ray_job(attempt, cluster, monkeypatch).start()
    monkeypatch.setenv("OMP_NUM_THREADS", "1")  # as Ray does
    said = subprocess.run(cluster.jobs[0].entrypoint, shell=True, check=True, capture_output=True)  # noqa: S602
    assert said.stdout == b"3\n"


def test_a_cluster_that_refuses_is_said_in_its_own_words(
    attempt: Attempt, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(launchers, "PATIENCE_SECONDS", 0.0)
    with pytest.raises(StackError, match="refuses: Request failed with status code 500: no room"):
        ray_job(attempt, Cluster(keeps=False), monkeypatch).start()


WRITE_OFTEN = """
import sys
from pathlib import Path
from pipelines.files import write_whole
for number in range(300):
    write_whole(Path(sys.argv[1]), str(number))
"""


def test_two_processes_write_one_file(tmp_path: Path) -> None:
    command = [sys.executable, "-c", WRITE_OFTEN, str(tmp_path / "file.json")]
    writers = [subprocess.Popen(command) for _ in range(2)]
    assert [writer.wait() for writer in writers] == [0, 0]
    assert [path.name for path in tmp_path.iterdir()] == ["file.json"]
