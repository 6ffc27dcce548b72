"""Does a registered version come out the same when it is made again?"""

from __future__ import annotations

from prefect import flow

from pipelines.home import Home
from pipelines.reproduction import Reproduction, read_version, render_reproduction
from tasks.publishing import publish
from tasks.reproduction import compare_versions, keep_reproduction, train_again


@flow(name="reproduction", flow_run_name="reproduce-{pipeline}")
def reproduction(pipeline: str, version: int) -> Reproduction:
    """Train a version again from its snapshot, definition and code, and compare; nothing is registered.

    The audit log keeps what came out.

    Args:
        pipeline: name of a known pipeline, or the path of its pipeline.yaml.
        version: number of a registered version.
    """
    home = Home.at()
    recorded = read_version(home, pipeline, version)
    found = compare_versions(home, recorded, train_again(home, recorded))
    keep_reproduction(home, found)
    name = f"{found.pipeline}-reproduction"
    publish(name, render_reproduction(found), f"Version {version}, made again")
    return found
