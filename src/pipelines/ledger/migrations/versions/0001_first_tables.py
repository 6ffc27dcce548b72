"""The first tables."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "pipelines",
        sa.Column("name", sa.String, primary_key=True),
        sa.Column("definition", sa.String, nullable=False),
    )
    op.create_table(
        "attempts",
        sa.Column("id", sa.String, primary_key=True),
        sa.Column("pipeline", sa.String, nullable=False, index=True),
        sa.Column("started", sa.DateTime, nullable=False),
        sa.Column("cause", sa.String),
        sa.Column("attempt", sa.JSON, nullable=False),
        sa.Column("trained", sa.JSON),
        sa.Column("version", sa.Integer),
        sa.Column("outcome", sa.JSON),
    )
    op.create_table(
        "promotions",
        sa.Column("pipeline", sa.String, primary_key=True),
        sa.Column("seq", sa.Integer, primary_key=True),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("previous", sa.Integer),
        sa.Column("attempt", sa.String, nullable=False),
        sa.Column("cause", sa.String),
        sa.Column("why", sa.String, nullable=False),
        sa.Column("since", sa.DateTime, nullable=False),
    )
    op.create_table(
        "causes",
        sa.Column("id", sa.String, primary_key=True),
        sa.Column("pipeline", sa.String, nullable=False, index=True),
        sa.Column("kind", sa.String, nullable=False),
        sa.Column("reason", sa.String, nullable=False),
        sa.Column("version", sa.Integer),
        sa.Column("created", sa.DateTime, nullable=False),
        sa.Column("window_end", sa.DateTime),
        sa.Column("sent", sa.DateTime),
    )
    op.create_table(
        "windows",
        sa.Column("pipeline", sa.String, primary_key=True),
        sa.Column("start", sa.DateTime, primary_key=True),
        sa.Column("judgment", sa.JSON, nullable=False),
    )
    op.create_table(
        "serving",
        sa.Column("pipeline", sa.String, primary_key=True),
        sa.Column("served", sa.JSON, nullable=False),
    )
