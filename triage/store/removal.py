"""Delete what a customer, or its age, wants gone; and the audit log that says so."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    Select,
    delete,
    exists,
    func,
    insert,
    or_,
    select,
    text,
)
from sqlalchemy.orm import aliased

from triage.schema import SHANGHAI
from triage.store.sealing import Sealed, masked
from triage.store.tables import (
    AssessmentRow,
    AuditRow,
    Base,
    EventRow,
    FeedbackRow,
    Moment,
    RevisionRow,
)

PORTION = 100
"""Assessments that a purge deletes in one transaction, so that no writer waits for long."""

_ERASE, _PURGE = "erase", "purge"
_LOCK = 7_300_213_448
_A, _F = AssessmentRow, FeedbackRow


def erase(connection: Connection, customer: str, actor: str) -> dict[str, int]:
    """Delete all that hangs on a customer, known by a keyed hash, and log how much and when.

    Corrections that came by a file go too where their ticket has the text of one of the customer's
    and of nobody else's.
    """
    _one_at_a_time(connection)
    own = select(_A.id).where(_A.customer == customer)
    other = aliased(_A)
    shared = exists().where(other.key == _F.key, other.customer.is_distinct_from(customer))
    keys = select(_A.key).where(_A.customer == customer)
    by_file = _F.assessment.is_(None) & _F.key.in_(keys) & ~shared
    counts = _delete(connection, own, or_(_F.assessment.in_(own), by_file))
    log(connection, _ERASE, actor, customer, json.dumps(counts))
    return counts


def purge(connection: Connection, older_than: datetime, actor: str) -> dict[str, int]:
    """Delete a portion of what came in before a moment, and log it; nothing is left if all are 0.

    Corrections that came by a file go by the time of their adding: their masked text is personal
    data too (PIPL, Art. 73).
    """
    asked = select(_A.id).where(_A.received_at < older_than).order_by(_A.received_at)
    ids = select(asked.limit(PORTION).subquery().c.id)
    by_file = _F.assessment.is_(None) & (_F.at < older_than)
    counts = _delete(connection, ids, or_(_F.assessment.in_(ids), by_file))
    if any(counts.values()):
        log(connection, _PURGE, actor, f"{older_than:%Y-%m-%d}", json.dumps(counts))
    return counts


def without_erased(connection: Connection, rows: Sequence[Sealed]) -> list[Sealed]:
    """Leave out answers that waited while their customer was erased."""
    _one_at_a_time(connection)
    customers = {row.customer for row in rows if row.customer}
    asked = (
        select(AuditRow.subject, func.max(AuditRow.at, type_=Moment))
        .where(AuditRow.action == _ERASE, AuditRow.subject.in_(customers))
        .group_by(AuditRow.subject)
    )
    erased: Mapping[str | None, datetime] = {row[0]: row[1] for row in connection.execute(asked)}
    return [row for row in rows if row.customer not in erased or row.at > erased[row.customer]]


def log(connection: Connection, action: str, actor: str, subject: str, detail: str) -> None:
    """Add a line to the audit log, masked."""
    told = {"actor": masked(actor), "subject": masked(subject), "detail": masked(detail)}
    row = {"at": datetime.now(SHANGHAI), "action": action, **told}
    connection.execute(insert(AuditRow), row)


def read_log(connection: Connection, limit: int) -> list[dict[str, Any]]:
    """Return the last lines of the audit log, the newest first."""
    asked = select(AuditRow.__table__).order_by(AuditRow.id.desc()).limit(limit)
    return [dict(row) for row in connection.execute(asked).mappings()]


def forget_traces(engine: Engine) -> None:
    """Empty SQLite's write-ahead log, which still holds what was deleted."""
    if engine.dialect.name == "sqlite":
        with engine.connect() as connection:
            raw = connection.connection.driver_connection
            assert raw is not None
            raw.execute("PRAGMA wal_checkpoint(TRUNCATE)").close()


def _delete(
    connection: Connection, ids: Select[str], feedback: ColumnElement[bool]
) -> dict[str, int]:
    """Delete assessments with all that hangs on them, and count the rows."""
    chosen: list[tuple[type[Base], ColumnElement[bool]]] = [
        (_F, feedback),
        (EventRow, EventRow.assessment.in_(ids)),
        (RevisionRow, RevisionRow.assessment.in_(ids)),
        (_A, _A.id.in_(ids)),
    ]
    return {
        str(table.__tablename__): connection.execute(delete(table).where(which)).rowcount
        for table, which in chosen
    }


def _one_at_a_time(connection: Connection) -> None:
    """Keep an erasure and the spool's answers apart; SQLite has one writer anyway."""
    if connection.dialect.name == "postgresql":
        connection.execute(text(f"SELECT pg_advisory_xact_lock({_LOCK})"))
