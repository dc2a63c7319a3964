"""The tables, declaratively; the migrations make them, and a test compares the two."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import (
    DateTime,
    Dialect,
    ForeignKey,
    Index,
    MetaData,
    String,
    Text,
    TypeDecorator,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from triage.schema import in_shanghai

SCHEMA_VERSION = 2
"""Version of the tables; a store of a later one is refused."""

NAMES = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "pk": "pk_%(table_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
}
"""How constraints are named, so that a migration can find them."""

FOR_REVIEW = text("decision <> 'auto' AND state = 'open'")
"""Which assessments wait for a person."""


class Moment(TypeDecorator[datetime]):
    """A time that is kept in UTC and read in Asia/Shanghai, on every database."""

    impl = DateTime
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Turn a time into UTC without a zone; one without a zone is Shanghai's."""
        return in_shanghai(value).astimezone(UTC).replace(tzinfo=None) if value else None

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Turn what is kept into Shanghai's time."""
        return in_shanghai(value.replace(tzinfo=UTC)) if value else None


class Base(DeclarativeBase):
    """What all tables share."""

    metadata = MetaData(naming_convention=NAMES)


class SchemaVersion(Base):
    """One row for each version that the tables have had; the greatest holds."""

    __tablename__ = "schema_version"

    version: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(Moment)


class FactRow(Base):
    """What the store knows of itself: the salt of its keyed hashes."""

    __tablename__ = "facts"

    name: Mapped[str] = mapped_column(String(40), primary_key=True)
    value: Mapped[str] = mapped_column(Text)


class AssessmentRow(Base):
    """One complaint: what it was, masked, and what the latest revision of its answer says."""

    __tablename__ = "assessments"
    __table_args__ = (
        Index(None, "customer", "received_at"),
        Index(None, "received_at"),
        Index(None, "key"),
        Index("ix_assessments_review", "urgency", "due_at", "id",
              sqlite_where=FOR_REVIEW, postgresql_where=FOR_REVIEW),
    )  # fmt: skip

    id: Mapped[str] = mapped_column(String(200), primary_key=True)
    digest: Mapped[str] = mapped_column(String(32))
    key: Mapped[str] = mapped_column(String(14))
    customer: Mapped[str | None] = mapped_column(String(32))
    channel: Mapped[str | None] = mapped_column(String(200))
    kind: Mapped[str | None] = mapped_column(String(16))
    facts: Mapped[str | None] = mapped_column(Text)
    text: Mapped[str] = mapped_column(Text)
    received_at: Mapped[datetime] = mapped_column(Moment)
    created_at: Mapped[datetime] = mapped_column(Moment)
    revision: Mapped[int]
    nature: Mapped[str] = mapped_column(String(200))
    severity: Mapped[str] = mapped_column(String(16))
    emotion: Mapped[str] = mapped_column(String(16))
    grade: Mapped[str] = mapped_column(String(16))
    urgency: Mapped[int]
    decision: Mapped[str] = mapped_column(String(16))
    route: Mapped[str] = mapped_column(String(200))
    due_at: Mapped[datetime] = mapped_column(Moment)
    state: Mapped[str] = mapped_column(String(16), default="open")


class RevisionRow(Base):
    """One answer: the first, or one that differs from that before it."""

    __tablename__ = "revisions"

    assessment: Mapped[str] = mapped_column(
        String(200), ForeignKey("assessments.id", ondelete="CASCADE"), primary_key=True
    )
    revision: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    at: Mapped[datetime] = mapped_column(Moment)
    model_version: Mapped[str] = mapped_column(String(200))
    policy_version: Mapped[str] = mapped_column(String(200))
    body: Mapped[str] = mapped_column(Text)


class EventRow(Base):
    """What the customer's own system reports."""

    __tablename__ = "events"
    __table_args__ = (UniqueConstraint("assessment", "kind", "at"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    assessment: Mapped[str] = mapped_column(
        String(200), ForeignKey("assessments.id", ondelete="CASCADE")
    )
    kind: Mapped[str] = mapped_column(String(16))
    at: Mapped[datetime] = mapped_column(Moment)
    value: Mapped[int | None]
    by: Mapped[str | None] = mapped_column(String(200))
    recorded_at: Mapped[datetime] = mapped_column(Moment)


class FeedbackRow(Base):
    """One correction of one head of one ticket or assessment."""

    __tablename__ = "feedback"
    __table_args__ = (Index(None, "key", "head"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(Moment, index=True)
    key: Mapped[str] = mapped_column(String(14))
    text: Mapped[str] = mapped_column(Text, default="")
    head: Mapped[str] = mapped_column(String(16))
    label: Mapped[str] = mapped_column(String(200))
    was: Mapped[str | None] = mapped_column(String(200))
    by: Mapped[str | None] = mapped_column(String(200))
    why: Mapped[str | None] = mapped_column(Text)
    source: Mapped[str] = mapped_column(String(400), default="")
    assessment: Mapped[str | None] = mapped_column(
        String(200), ForeignKey("assessments.id", ondelete="CASCADE"), index=True
    )


class AuditRow(Base):
    """What was done to the store, by whom; triggers refuse to change or delete it."""

    __tablename__ = "audit_log"

    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(Moment)
    action: Mapped[str] = mapped_column(String(40), index=True)
    actor: Mapped[str] = mapped_column(String(200))
    subject: Mapped[str] = mapped_column(String(200))
    detail: Mapped[str] = mapped_column(Text)
