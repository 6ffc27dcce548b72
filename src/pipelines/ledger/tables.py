"""The tables of the ledger; `migrations/` brings a database to this form."""

from __future__ import annotations

import sqlalchemy as sa

metadata = sa.MetaData()

pipelines = sa.Table(
    "pipelines",
    metadata,
    sa.Column("name", sa.String, primary_key=True),
    sa.Column("definition", sa.String, nullable=False),  # path of pipeline.yaml
)

batches = sa.Table(
    "batches",
    metadata,
    sa.Column("pipeline", sa.String, primary_key=True),
    sa.Column("id", sa.String, primary_key=True),
    sa.Column("created", sa.DateTime, nullable=False),
    sa.Column("state", sa.String, nullable=False),  # records.IntakeState
    sa.Column("batch", sa.JSON, nullable=False),  # records.Batch
    sa.Column("report", sa.JSON),  # records.ValidationReport
    sa.Column("version", sa.Integer),  # of the snapshot that has its rows
)

attempts = sa.Table(
    "attempts",
    metadata,
    sa.Column("id", sa.String, primary_key=True),
    sa.Column("pipeline", sa.String, nullable=False, index=True),
    sa.Column("started", sa.DateTime, nullable=False),
    sa.Column("cause", sa.String),
    sa.Column("attempt", sa.JSON, nullable=False),  # records.Attempt
    sa.Column("trained", sa.JSON),  # records.TrainedModel
    sa.Column("version", sa.Integer),
    sa.Column("outcome", sa.JSON),  # records.TrainOutcome
    sa.Column("config", sa.JSON),  # config.PipelineConfig, as planned
    sa.Column("cost", sa.JSON),  # records.Cost
    sa.Column("environment", sa.JSON),  # versions of code and packages, and the machine
)

promotions = sa.Table(
    "promotions",
    metadata,
    sa.Column("pipeline", sa.String, primary_key=True),
    # Inserting takes the next number, so of two promotions judged against one champion the second collides.
    sa.Column("seq", sa.Integer, primary_key=True),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("previous", sa.Integer),
    sa.Column("attempt", sa.String, nullable=False),
    sa.Column("cause", sa.String),
    sa.Column("why", sa.String, nullable=False),
    sa.Column("since", sa.DateTime, nullable=False),
    sa.Column("state", sa.String, nullable=False),  # records.PromotionState
    sa.Column("settled", sa.DateTime),  # when it was confirmed or reverted
    sa.Column("approved_by", sa.String),  # the person who decided, where one did
    sa.Column("undone", sa.String),  # why it was reverted
)

causes = sa.Table(
    "causes",
    metadata,
    sa.Column("id", sa.String, primary_key=True),
    sa.Column("pipeline", sa.String, nullable=False, index=True),
    sa.Column("kind", sa.String, nullable=False),
    sa.Column("reason", sa.String, nullable=False),
    sa.Column("version", sa.Integer),
    sa.Column("created", sa.DateTime, nullable=False),
    sa.Column("window_end", sa.DateTime),
    sa.Column(
        "sent", sa.DateTime
    ),  # when its event was handed to Prefect; null is what maintenance sends again
)

windows = sa.Table(
    "windows",
    metadata,
    sa.Column("pipeline", sa.String, primary_key=True),
    sa.Column("start", sa.DateTime, primary_key=True),
    sa.Column("judgment", sa.JSON, nullable=False),  # records.WindowJudgment
)

serving = sa.Table(
    "serving",
    metadata,
    sa.Column("pipeline", sa.String, primary_key=True),
    sa.Column("served", sa.JSON, nullable=False),  # records.ServedModel
)

approvals = sa.Table(
    "approvals",
    metadata,
    sa.Column("id", sa.String, primary_key=True),  # of the attempt
    sa.Column("pipeline", sa.String, nullable=False, index=True),
    sa.Column("requested", sa.DateTime, nullable=False),
    sa.Column("expires", sa.DateTime),
    sa.Column("state", sa.String, nullable=False),  # waiting, approved, rejected, expired
    sa.Column("by", sa.String),
    sa.Column("reason", sa.String),
    sa.Column("decided", sa.DateTime),
    sa.Column("body", sa.JSON, nullable=False),  # what is needed to go on
)

audit_log = sa.Table(
    "audit_log",
    metadata,
    sa.Column("pipeline", sa.String, primary_key=True),
    sa.Column("seq", sa.Integer, primary_key=True),  # of the pipeline's own chain, from 1
    sa.Column("time", sa.DateTime, nullable=False),
    sa.Column("kind", sa.String, nullable=False),
    sa.Column("subject", sa.String, nullable=False),
    sa.Column("body", sa.JSON, nullable=False),
    sa.Column("previous", sa.String, nullable=False),  # the hash of the entry before
    sa.Column("hash", sa.String, nullable=False),
)
