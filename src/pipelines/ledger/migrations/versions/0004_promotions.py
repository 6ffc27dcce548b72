"""Promotions that are confirmed or undone, approvals that wait for a person, and a log of all decisions."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

# Of promotions that were there before: they went through.
ADDED: list[sa.Column[Any]] = [
    sa.Column("state", sa.String, nullable=False, server_default="confirmed"),
    sa.Column("settled", sa.DateTime),
    sa.Column("approved_by", sa.String),
    sa.Column("undone", sa.String),
]
APPROVALS: list[sa.Column[Any]] = [
    sa.Column("id", sa.String, primary_key=True),
    sa.Column("pipeline", sa.String, nullable=False, index=True),
    sa.Column("requested", sa.DateTime, nullable=False),
    sa.Column("expires", sa.DateTime),
    sa.Column("state", sa.String, nullable=False),
    sa.Column("by", sa.String),
    sa.Column("reason", sa.String),
    sa.Column("decided", sa.DateTime),
    sa.Column("body", sa.JSON, nullable=False),
]
AUDIT_LOG: list[sa.Column[Any]] = [
    sa.Column("pipeline", sa.String, primary_key=True),
    sa.Column("seq", sa.Integer, primary_key=True),
    sa.Column("time", sa.DateTime, nullable=False),
    sa.Column("kind", sa.String, nullable=False),
    sa.Column("subject", sa.String, nullable=False),
    sa.Column("body", sa.JSON, nullable=False),
    sa.Column("previous", sa.String, nullable=False),
    sa.Column("hash", sa.String, nullable=False),
]


def upgrade() -> None:
    # SQLite commits each change by itself: killed in between, the next start finds some of them made.
    found = sa.inspect(op.get_bind())
    known = {column["name"] for column in found.get_columns("promotions")}
    for column in ADDED:
        if column.name not in known:
            op.add_column("promotions", column)
    for name, columns in (("approvals", APPROVALS), ("audit_log", AUDIT_LOG)):
        if not found.has_table(name):
            op.create_table(name, *columns)
