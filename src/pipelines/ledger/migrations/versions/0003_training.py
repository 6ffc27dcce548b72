"""What an attempt was asked for, in which surroundings, and what it cost."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    # SQLite commits each change by itself: killed in between, the next start finds some of them made.
    known = {column["name"] for column in sa.inspect(op.get_bind()).get_columns("attempts")}
    for name in ("config", "cost", "environment"):
        if name not in known:
            op.add_column("attempts", sa.Column(name, sa.JSON))
