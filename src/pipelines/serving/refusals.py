"""What the service answers when it does not predict: a status and {"error": {type, message, hint}}."""

from __future__ import annotations

from pipelines.errors import EvergreenError


class Refusal(EvergreenError):  # the names are those of the answers
    """A request that gets no prediction; each kind below has its HTTP status."""

    status = 400


class MalformedBody(Refusal):
    """A body that is not {"rows": [{...}, ...]}."""


class Unauthorised(Refusal):
    """A request without the service's token."""

    status = 401


class UnknownPipeline(Refusal):
    """A name that no served pipeline has."""

    status = 404


class TooLarge(Refusal):
    """More rows or bytes than one request may have."""

    status = 413


class InvalidRow(Refusal):
    """A row that does not fit the model's signature; the message names row (from 1) and column."""

    status = 422


class Overloaded(Refusal):
    """More rows are waiting than can be answered soon."""

    status = 429


class PredictionFailed(Refusal):
    """The model could not answer a request that fits its signature."""

    status = 500


class NoModel(Refusal):
    """A pipeline is to be served and no version of it is ready."""

    status = 503


def error_body(kind: str, message: str, hint: str) -> dict[str, dict[str, str]]:
    """The JSON shape of every refusal."""
    return {"error": {"type": kind, "message": message, "hint": hint}}
