"""How a training ended, who became champion by it, and what is served."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pipelines.records.base import Record
from pipelines.records.data import Snapshot
from pipelines.records.evaluation import GateVerdict
from pipelines.records.training import Attempt, Cost, TrainedModel

TrainStatus = Literal[
    "promoted", "rejected", "inconclusive", "awaiting_approval", "reverted", "reused", "refused", "failed"
]
PromotionState = Literal["begun", "confirmed", "reverted"]
ApprovalState = Literal["waiting", "approved", "rejected", "expired"]


class ServedModel(Record):
    """What the prediction service is to answer with for a pipeline."""

    pipeline: str
    version: int
    folder: str
    files: dict[str, str]


class Champion(ServedModel):
    """The model to beat, and what it was made from, where that is known: snapshot and definition, as JSON."""

    snapshot: Snapshot | None = None
    definition: dict[str, Any] | None = None


class ModelVersion(Record):
    """A version in MLflow's registry."""

    name: str
    version: int
    run_id: str
    attempt: str


class Promotion(Record):
    """A row of the ledger: from `since` on, `version` is champion; `previous` is whom it replaced.

    `begun` until the service was seen to answer with it, then `confirmed`; `reverted`, it never was champion,
    and `undone` says why. `approved_by` is the person who decided, where one did.
    """

    pipeline: str
    seq: int
    version: int
    previous: int | None
    attempt: str
    cause: str | None
    why: str
    since: datetime
    until: datetime | None = None
    state: PromotionState = "begun"
    settled: datetime | None = None
    approved_by: str | None = None
    undone: str | None = None


class Approval(Record):
    """A promotion that the gates allow and that waits for a person: nothing runs meanwhile.

    `expires` is the moment from which it can no longer be approved; `by` and `reason` are those of the
    decision. `promotion` is what is carried out then.
    """

    attempt: str
    pipeline: str
    requested: datetime
    expires: datetime
    state: ApprovalState = "waiting"
    by: str | None = None
    reason: str | None = None
    decided: datetime | None = None
    promotion: Promotion


class TrainOutcome(Record):
    """What `train` answers, from the command line, the UI and events alike."""

    status: TrainStatus
    pipeline: str
    attempt: str | None = None
    dataset: dict[str, str | int] = {}
    model: dict[str, str | int] = {}
    metrics: dict[str, float] = {}
    champion_metrics: dict[str, float] | None = None
    compared_rows: int | None = None  # that `champion_metrics` are of
    compared_metrics: dict[str, float] = {}  # the challenger's on these, where they are not all test rows
    gates: list[GateVerdict] = []
    cause: str | None = None
    warnings: list[str] = []
    seconds: dict[str, float] = {}
    reason: str | None = None  # of a failure, or of a promotion that was undone
    cost: Cost | None = None


class StoredAttempt(Record):
    """All that the ledger has of an attempt; what is not known yet is None, or empty.

    `config` is its definition and `environment` its surroundings, both as JSON; `cost` is what it has used so
    far. `version` is that of its registered model, `trained` the files of it.
    """

    id: str
    pipeline: str
    started: datetime
    cause: str | None = None
    attempt: Attempt
    trained: TrainedModel | None = None
    version: int | None = None
    outcome: TrainOutcome | None = None
    config: dict[str, Any] = {}
    cost: Cost | None = None
    environment: dict[str, Any] = {}
