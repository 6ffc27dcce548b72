"""A version is deployed when the service answers with it, not when it was told to."""

from __future__ import annotations

from pipelines.environment import variable
from pipelines.progress import log
from pipelines.records import ServedModel
from pipelines.serving.client import wait_until_serving

SECONDS = 60.0


def confirm_serving(served: ServedModel) -> None:
    """Wait until the running service answers with this version; nothing to wait for where none runs.

    Raises StackError.
    """
    url = variable("EVERGREEN_SERVING_URL")
    if url:
        wait_until_serving(url, served.pipeline, served.version, SECONDS)
    log.info(
        "Version %d of %s is %s",
        served.version,
        served.pipeline,
        "served" if url else "champion; no service runs",
    )
