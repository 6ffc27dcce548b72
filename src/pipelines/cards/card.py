"""What a model card is made of, read from ledger, attempt's folder and definition.

After Mitchell and others, "Model Cards for Model Reporting", FAT* 2019.
"""

from __future__ import annotations

from datetime import datetime

from pipelines.audit.evidence import Reproduced, VersionEvidence
from pipelines.audit.gather import gather_version, with_folder
from pipelines.audit.reproductions import read_reproductions
from pipelines.clock import now
from pipelines.config import PipelineConfig
from pipelines.home import Home
from pipelines.ledger import Ledger
from pipelines.records import Approval, Record, RowCounts


class ModelCard(Record):
    """A version, the rows that it comes from, what people wrote of it and decided about it.

    `types` are the columns that it reads, `rows` where the rows of all batches of its snapshot went.
    """

    pipeline: str
    written: datetime
    metric: str
    target: str
    intended_use: list[str]
    limits: list[str]
    version: VersionEvidence
    types: dict[str, str]
    rows: RowCounts
    batches: int
    sources: list[str]
    approval: Approval | None = None
    reproductions: list[Reproduced] = []


def gather_card(home: Home, config: PipelineConfig, version: int) -> ModelCard:
    """The card of a registered version; uses and limits are those of today's definition.

    Metric and target are those that the version was made for.
    Raises UsageError where there is no such version.
    """
    name, ledger, moment = config.pipeline, Ledger.open(home), now()
    found = with_folder(gather_version(ledger, ledger.version(name, version)))
    taken = [
        one
        for one in ledger.intakes(name)
        if one.version is not None and one.version <= found.attempt.snapshot.version
    ]
    counts = [one.counts for one in taken if one.counts]
    columns, data = found.config.get("columns", {}), found.config.get("data", {})
    return ModelCard(
        pipeline=name,
        written=moment,
        metric=found.config.get("metric", config.metric),
        target=data.get("target", config.data.target),
        intended_use=config.evaluation.intended_use,
        limits=config.evaluation.limits,
        version=found,
        types={name: columns.get(name, {}).get("type", "") for name in found.inputs},
        rows=RowCounts(**{k: sum(getattr(c, k) for c in counts) for k in RowCounts.model_fields}),
        batches=len(taken),
        sources=sorted({source.uri for one in taken for source in one.batch.sources}),
        approval=next((a for a in ledger.approvals(pipeline=name) if a.attempt == found.attempt.id), None),
        reproductions=[r for r in read_reproductions(ledger.audit_log(name)) if r.version == version],
    )
