"""Asking the prediction service over HTTP, with errors of our own."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from pipelines.errors import DataError, ModelUnusable, StackError

if TYPE_CHECKING:
    import httpx

PREDICT_SECONDS = 30.0
ASK_SECONDS = 2.0
POLL_SECONDS = 0.1
GRACE_SECONDS = 4.0  # in which a version that does not load is tried again, twice


def health(url: str, seconds: float = ASK_SECONDS) -> dict[str, Any]:
    """The service's own account of itself. Raises StackError if it does not answer."""
    return request("GET", f"{url}/health", seconds)


def wait_until_serving(url: str, pipeline: str, version: int, seconds: float) -> None:
    """Return when `version` answers for `pipeline`.

    Raises ModelUnusable where it still does not load after some seconds, and in the end StackError, saying
    what was seen.
    """
    started = time.monotonic()
    while True:
        try:
            state = health(url)
        except StackError as error:
            seen = error.message
        else:
            if state["versions"].get(pipeline) == version:
                return
            seen = describe(state, pipeline)
            failed = state["failures"].get(pipeline, {})
            if failed.get("version") == version and time.monotonic() >= started + GRACE_SECONDS:
                raise ModelUnusable(f"Version {version} of {pipeline} does not load: {failed['message']}")
        if time.monotonic() >= started + seconds:
            raise StackError(
                f"Version {version} of {pipeline} does not answer at {url} after {seconds:g} s: {seen}",
                "Look at the log of the prediction service; `evergreen status` shows what runs.",
            )
        time.sleep(POLL_SECONDS)


def predict(
    url: str, token: str, pipeline: str, rows: list[dict[str, Any]], log: bool = True
) -> dict[str, Any]:
    """The service's answer to `rows` (JSON values, 1 to 1000): pipeline, version, predictions.

    Without `log` they are not logged: nobody acts on the answer. Raises DataError for rows that it refuses,
    StackError when it does not answer or cannot.
    """
    address = f"{url}/pipelines/{pipeline}/predictions" + ("" if log else "?log=no")
    return request("POST", address, PREDICT_SECONDS, authorised(token), {"rows": rows})


def taken_columns(url: str, token: str, pipeline: str) -> list[str]:
    """The columns that the version which answers takes. Raises StackError."""
    found = request("GET", f"{url}/pipelines/{pipeline}", ASK_SECONDS, authorised(token))
    return [*found["inputs"], *found["optional"]]


def authorised(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def request(
    method: str, url: str, seconds: float, headers: dict[str, str] | None = None, content: object = None
) -> dict[str, Any]:
    """One request and its JSON answer; no proxy is used, as the service is near."""
    import httpx

    try:
        # Certificates are read, which takes longer than an answer does, only where they are used.
        with httpx.Client(trust_env=False, timeout=seconds, verify=url.startswith("https:")) as client:
            response = client.request(method, url, headers=headers, json=content)
    except httpx.HTTPError as error:
        raise StackError(
            f"{url} does not answer: {type(error).__name__}: {error}.", "`evergreen up` starts the service."
        ) from error
    except ValueError as error:  # NaN, which is no JSON
        raise DataError(
            f"The rows cannot be sent as JSON: {error}.", "A value that is not known is null."
        ) from error
    return unwrap(response)


def unwrap(response: httpx.Response) -> dict[str, Any]:
    """The JSON of a good answer; a refusal is raised with the service's own words."""
    try:
        content = response.json()
    except ValueError as error:
        raise StackError(
            f"{response.url} answers {response.status_code} without JSON.", "Is this our service?"
        ) from error
    if response.is_success and isinstance(content, dict):
        return content
    refusal = content.get("error", {}) if isinstance(content, dict) else {}
    message = f"{response.url} answers {response.status_code}: {refusal.get('message', 'no reason given')}"
    kind = DataError if response.status_code in {400, 413, 422} else StackError
    raise kind(message, refusal.get("hint", ""))


def describe(state: dict[str, Any], pipeline: str) -> str:
    """What the service says of a pipeline that does not answer as wished."""
    failed = state["failures"].get(pipeline)
    now = state["versions"].get(pipeline)
    serving = f"version {now} answers" if now is not None else "no version answers"
    return (
        f"{serving}; version {failed['version']} does not load: {failed['message']}"
        if failed
        else f"{serving}."
    )
