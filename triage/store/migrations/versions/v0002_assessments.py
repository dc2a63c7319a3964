"""Version 2: assessments with revisions and events, feedback on them, the audit log, the salt."""

from __future__ import annotations

import secrets

import sqlalchemy as sa
from alembic import op

from triage.store.migrations.steps import mark_version, refuse
from triage.store.tables import FOR_REVIEW, Moment

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Make what is new; feedback keeps its rows and gets the column `assessment`."""
    _make_facts()
    _make_assessments()
    _make_what_hangs_on_them()
    _extend_feedback()
    _make_audit_log()
    mark_version(2)


def _make_facts() -> None:
    facts = op.create_table(
        "facts",
        sa.Column("name", sa.String(40), nullable=False),
        sa.Column("value", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_facts"),
    )
    op.bulk_insert(facts, [{"name": "salt", "value": secrets.token_hex(32)}])


def _make_assessments() -> None:
    op.create_table(
        "assessments",
        sa.Column("id", sa.String(200), nullable=False),
        sa.Column("digest", sa.String(32), nullable=False),
        sa.Column("key", sa.String(14), nullable=False),
        sa.Column("customer", sa.String(32)),
        sa.Column("channel", sa.String(200)),
        sa.Column("kind", sa.String(16)),
        sa.Column("facts", sa.Text),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("received_at", Moment, nullable=False),
        sa.Column("created_at", Moment, nullable=False),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.Column("nature", sa.String(200), nullable=False),
        sa.Column("severity", sa.String(16), nullable=False),
        sa.Column("emotion", sa.String(16), nullable=False),
        sa.Column("grade", sa.String(16), nullable=False),
        sa.Column("urgency", sa.Integer, nullable=False),
        sa.Column("decision", sa.String(16), nullable=False),
        sa.Column("route", sa.String(200), nullable=False),
        sa.Column("due_at", Moment, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_assessments"),
    )
    for columns in (["customer", "received_at"], ["received_at"], ["key"]):
        op.create_index(f"ix_assessments_{'_'.join(columns)}", "assessments", columns)
    op.create_index(
        "ix_assessments_review", "assessments", ["urgency", "due_at", "id"],
        sqlite_where=FOR_REVIEW, postgresql_where=FOR_REVIEW,
    )  # fmt: skip


def _make_what_hangs_on_them() -> None:
    op.create_table(
        "revisions",
        sa.Column("assessment", sa.String(200), nullable=False),
        sa.Column("revision", sa.Integer, autoincrement=False, nullable=False),
        sa.Column("at", Moment, nullable=False),
        sa.Column("model_version", sa.String(200), nullable=False),
        sa.Column("policy_version", sa.String(200), nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("assessment", "revision", name="pk_revisions"),
        _of_assessment("revisions"),
    )
    op.create_table(
        "events",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("assessment", sa.String(200), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("at", Moment, nullable=False),
        sa.Column("value", sa.Integer),
        sa.Column("by", sa.String(200)),
        sa.Column("recorded_at", Moment, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_events"),
        sa.UniqueConstraint("assessment", "kind", "at", name="uq_events_assessment_kind_at"),
        _of_assessment("events"),
    )


def _of_assessment(table: str) -> sa.ForeignKeyConstraint:
    """Return the key by which rows go when their assessment goes."""
    return sa.ForeignKeyConstraint(
        ["assessment"], ["assessments.id"], ondelete="CASCADE",
        name=f"fk_{table}_assessment_assessments",
    )  # fmt: skip


def _extend_feedback() -> None:
    """Add a column; SQLite's table is copied for it, and loses its trigger."""
    with op.batch_alter_table("feedback") as feedback:
        feedback.add_column(sa.Column("assessment", sa.String(200)))
        feedback.create_foreign_key(
            "fk_feedback_assessment_assessments", "assessments", ["assessment"], ["id"],
            ondelete="CASCADE",
        )  # fmt: skip
        feedback.create_index("ix_feedback_assessment", ["assessment"])
    refuse("feedback", "UPDATE")


def _make_audit_log() -> None:
    op.create_table(
        "audit_log",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("at", Moment, nullable=False),
        sa.Column("action", sa.String(40), nullable=False),
        sa.Column("actor", sa.String(200), nullable=False),
        sa.Column("subject", sa.String(200), nullable=False),
        sa.Column("detail", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_audit_log"),
    )
    op.create_index("ix_audit_log_action", "audit_log", ["action"])
    if op.get_bind().dialect.name == "sqlite":
        refuse("audit_log", "UPDATE", "DELETE", "REPLACE")
    else:
        refuse("audit_log", "UPDATE", "DELETE", "TRUNCATE")
