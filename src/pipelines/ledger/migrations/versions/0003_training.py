"""What an attempt was asked for, in which surroundings, and what it cost."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    for name in ("config", "cost", "environment"):
        op.add_column("attempts", sa.Column(name, sa.JSON))
