"""The tables, declaratively; what comes later joins the same metadata."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import DDL, DateTime, Dialect, Index, MetaData, String, Text, TypeDecorator, event
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from triage.schema import in_shanghai

SCHEMA_VERSION = 1
"""Version of the tables; a store of a later one is refused."""


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
    """What all tables share: constraints have names, so that a migration can find them."""

    metadata = MetaData(naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    })  # fmt: skip


class SchemaVersion(Base):
    """One row for each version that the tables have had; the greatest holds."""

    __tablename__ = "schema_version"

    version: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(Moment)


class FeedbackRow(Base):
    """One correction of one head of one ticket."""

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


_ONLY_ADDED_TO = DDL(  # type: ignore[no-untyped-call]
    "CREATE TRIGGER feedback_is_only_added_to BEFORE UPDATE ON feedback "
    "BEGIN SELECT RAISE(ABORT, 'feedback is only ever added to'); END"
)
event.listen(
    FeedbackRow.__table__, "after_create", _ONLY_ADDED_TO.execute_if(dialect="sqlite")
)  # fmt: skip
