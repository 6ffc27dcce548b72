"""Many large files on a Ray cluster: each is staged by a task of its own, and compared with the rest here.

Like a training, it is a Ray Job, which the process that waits for it only follows: `ray.init` in a flow would
take over its signals. The files and the home folder have to be on storage that all nodes share.
"""

from __future__ import annotations

import json
import sys
import time
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pipelines.config import PipelineConfig
from pipelines.data.ingestion.delivery import read_source
from pipelines.data.ingestion.staging import Staging
from pipelines.data.sources import Source
from pipelines.environment import silence_telemetry, variable
from pipelines.errors import DataError, EvergreenError
from pipelines.home import Home
from pipelines.records import SourceRead

WORTH_IT = 2 << 30  # bytes; a job and its tasks take some ten seconds to start
POLL_SECONDS = 0.2


def worth_a_cluster(sources: list[Source]) -> bool:
    """Whether there is a cluster, and files enough to keep it busy."""
    files = [source for source in sources if source.kind == "file"]
    large = len(files) > 1 and len(files) == len(sources)
    return bool(variable("EVERGREEN_RAY_JOBS")) and large and sum(s.bytes or 0 for s in files) >= WORTH_IT


def read_on_cluster(
    sources: list[Source], config: PipelineConfig, staging: Staging
) -> list[tuple[SourceRead, list[str]]]:
    """Stage every source as a delivery, by tasks on the cluster; what was read, and what to say of each."""
    firsts = [staging.seq]
    for source in sources:  # a row takes a byte at least, so that no two files' numbers meet
        firsts.append(firsts[-1] + max(source.bytes or 1, 1) * config.data.format.most_expansion)
    tasks: list[dict[str, Any]] = [
        {"source": asdict(source), "first": first, "folder": str(staging.place / f"source-{number:05d}")}
        for number, (source, first) in enumerate(zip(sources, firsts, strict=False))
    ]
    spec = {
        "config": config.without_secrets().model_dump(mode="json", exclude_unset=True),
        "home": str(staging.home.root),
        "tasks": tasks,
    }
    (staging.place / "spec.json").write_text(json.dumps(spec))
    follow_job(staging.place)
    found = []
    for task, end in zip(tasks, firsts[1:], strict=True):
        said = json.loads(Path(task["folder"], "read.json").read_text())
        staging.adopt(Path(task["folder"]), end)
        found.append((SourceRead.model_validate(said["read"]), said["notes"]))
    for name in ("spec.json", "done.json", "log"):
        (staging.place / name).unlink(missing_ok=True)
    return found


def follow_job(place: Path) -> None:
    """Run the job of a spec, and wait for it; interrupted, stop it. Raises what its tasks raised."""
    import shlex

    from ray.job_submission import JobSubmissionClient

    client = JobSubmissionClient(str(variable("EVERGREEN_RAY_JOBS")))
    command = shlex.join([sys.executable, "-m", "pipelines.data.ingestion.cluster", str(place)])
    log = place / "log"
    job = client.submit_job(entrypoint=f"exec {command} >> {shlex.quote(str(log))} 2>&1")
    try:
        while not client.get_job_status(job).is_terminal():
            time.sleep(POLL_SECONDS)
    except BaseException:
        with suppress(RuntimeError):
            client.stop_job(job)
        raise
    done = place / "done.json"
    died = {"message": f"The Ray job {job} that read the sources died.", "hint": ""}
    said = json.loads(done.read_text()) if done.exists() else died
    if said.get("message"):
        kind = DataError if said.get("data") else EvergreenError
        tail = log.read_text()[-500:] if log.exists() and not said.get("data") else ""
        raise kind(said["message"], f"{said['hint']} {tail}".strip())


# ---------------------------------------------------------------------------------------- on the cluster


def main(place: Path) -> None:
    """The job: a task for each source; done.json says how it ended."""
    import ray

    silence_telemetry()
    spec = json.loads((place / "spec.json").read_text())
    ray.init(address="auto", log_to_driver=False)
    stage = ray.remote(num_cpus=1, max_retries=2)(stage_one)
    answers = ray.get([stage.remote(spec["config"], spec["home"], task) for task in spec["tasks"]])
    failed: dict[str, Any] = next((answer for answer in answers if answer), {})
    (place / "done.json").write_text(json.dumps(failed))


def stage_one(config: dict[str, Any], home: str, task: dict[str, Any]) -> dict[str, Any]:
    """Stage one source into its folder; empty, or the failure that a user can cause."""
    definition, folder = PipelineConfig.model_validate(config), Path(task["folder"])
    try:
        with Staging(definition, Home(Path(home)), rebuild=True) as staging:  # whoever asked compares
            staging.seq = task["first"]
            read, notes = read_source(Source(**task["source"]), definition, staging)
            staging.hand_over(folder)
    except EvergreenError as error:
        return {"message": error.message, "hint": error.hint, "data": isinstance(error, DataError)}
    (folder / "read.json").write_text(json.dumps({"read": read.model_dump(), "notes": notes}))
    return {}


if __name__ == "__main__":
    main(Path(sys.argv[1]))
