"""Version 1: people's corrections, as stores made before Alembic hold them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from triage.store.migrations.steps import mark_version
from triage.store.tables import Moment

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make `schema_version` and `feedback`."""
    op.create_table(
        "schema_version",
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("at", Moment, nullable=False),
        sa.PrimaryKeyConstraint("version", name="pk_schema_version"),
    )
    op.create_table(
        "feedback",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("at", Moment, nullable=False),
        sa.Column("key", sa.String(14), nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("head", sa.String(16), nullable=False),
        sa.Column("label", sa.String(200), nullable=False),
        sa.Column("was", sa.String(200)),
        sa.Column("by", sa.String(200)),
        sa.Column("why", sa.Text),
        sa.Column("source", sa.String(400), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_feedback"),
    )
    op.create_index("ix_feedback_key_head", "feedback", ["key", "head"])
    op.create_index("ix_feedback_at", "feedback", ["at"])
    mark_version(1)
