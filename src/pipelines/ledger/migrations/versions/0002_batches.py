"""What was read, what the checks said, and which snapshot came of it."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.create_table(
        "batches",
        sa.Column("pipeline", sa.String, primary_key=True),
        sa.Column("id", sa.String, primary_key=True),
        sa.Column("created", sa.DateTime, nullable=False),
        sa.Column("state", sa.String, nullable=False),
        sa.Column("batch", sa.JSON, nullable=False),
        sa.Column("report", sa.JSON),
        sa.Column("version", sa.Integer),
    )
