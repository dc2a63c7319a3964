"""Keep answers, find them again, and count a customer's earlier contacts."""

from __future__ import annotations

import base64
import functools
import json
from collections.abc import Collection, Sequence
from dataclasses import fields
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, literal, select, tuple_

from triage.schema import SEVERITIES, DataError, in_shanghai
from triage.store.nouns import Conflict, Kept
from triage.store.sealing import NEVER, Sealed
from triage.store.tables import FOR_REVIEW, AssessmentRow, Moment, RevisionRow

HISTORY_MOST = 100
"""Earlier contacts of one customer that are looked at: an id that all share must cost no more."""

_KEPT = (
    "SELECT a.id, a.revision, a.digest, a.received_at, a.created_at, r.body, r.at, a.customer "
    "FROM assessments AS a JOIN revisions AS r ON r.assessment = a.id AND r.revision = a.revision "
    "WHERE a.id {among}"
)
_NEWEST = (
    "SELECT id FROM assessments WHERE customer = c.value AND received_at >= {since} "
    f"ORDER BY received_at DESC LIMIT {HISTORY_MOST}"
)
_COLUMNS = [field.name for field in fields(Sealed) if field.name in AssessmentRow.__table__.c]
_ADDED = [*_COLUMNS, "created_at", "revision", "state"]
_CHANGED = [*(name for name in _COLUMNS if name not in ("id", "digest", "key")), "revision"]
_REVISION = [column.name for column in RevisionRow.__table__.c]


class _Quick:
    """The statements of every request, which the driver is given as they are.

    Of the 0.7 ms that looking up and keeping one answer took, SQLAlchemy's part was 0.4.

    Parameters
    ----------
    dialect : {"sqlite", "postgresql"}
    """

    def __init__(self, dialect: str) -> None:
        self.sqlite = dialect == "sqlite"
        mark = ":{}" if self.sqlite else "%({})s"
        among = "IN (SELECT value FROM json_each(:ids))" if self.sqlite else "= ANY(%(ids)s)"
        newest = _NEWEST.format(since=mark.format("since"))
        self.latest = _KEPT.format(among=among)
        self.standing = self.latest + ("" if self.sqlite else " ORDER BY a.id FOR UPDATE OF a")
        self.history = (
            f"SELECT c.value, (SELECT json_group_array(id) FROM ({newest})) "
            "FROM json_each(:customers) AS c"
            if self.sqlite
            else f"SELECT c.value, (SELECT json_agg(id) FROM ({newest}) AS newest) "
            "FROM unnest(CAST(%(customers)s AS text[])) AS c(value)"
        )
        self.add = _insert("assessments", _ADDED, mark)
        self.add_revisions = _insert("revisions", _REVISION, mark)
        changes = ", ".join(f"{name} = {mark.format(name)}" for name in _CHANGED)
        self.change = f"UPDATE assessments SET {changes} WHERE id = {mark.format('id')}"

    def many(self, values: Collection[str]) -> str | list[str]:
        """Return several values as one parameter."""
        return json.dumps(list(values)) if self.sqlite else list(values)

    def time(self, moment: datetime) -> str | datetime:
        """Return a time as `Moment` keeps it."""
        plain = moment.astimezone(UTC).replace(tzinfo=None)
        return plain.isoformat(" ", "microseconds") if self.sqlite else plain

    def moment(self, value: Any) -> datetime:
        """Return a time that was kept."""
        plain: datetime = datetime.fromisoformat(value) if self.sqlite else value
        return in_shanghai(plain.replace(tzinfo=UTC))

    def kept(self, row: Sequence[Any]) -> Kept:
        """Return what a row says."""
        name, revision, digest, received_at, created_at, body = row[:6]
        times = self.moment(received_at), self.moment(created_at)
        return Kept(name, revision, digest, *times, body)


def _insert(table: str, columns: Sequence[str], mark: str) -> str:
    values = ", ".join(map(mark.format, columns))
    return f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({values})"


_quick = functools.cache(_Quick)


def latest(connection: Connection, ids: Collection[str]) -> dict[str, Kept]:
    """Return what stands under each of these ids."""
    quick, cursor = _quick(connection.dialect.name), connection.connection.cursor()
    cursor.execute(quick.latest, {"ids": quick.many(ids)})
    return {row[0]: quick.kept(row) for row in cursor.fetchall()}


def history(
    connection: Connection, customers: Collection[str], since: datetime
) -> dict[str, list[str]]:
    """Return the newest ids of each customer, known by a keyed hash, received since a moment."""
    quick, cursor = _quick(connection.dialect.name), connection.connection.cursor()
    cursor.execute(quick.history, {"customers": quick.many(customers), "since": quick.time(since)})
    return {customer: json.loads(ids) if quick.sqlite else ids or []
            for customer, ids in cursor.fetchall()}  # fmt: skip


_LONG_AGO = datetime(1900, 1, 1, tzinfo=UTC)
_A, _R = AssessmentRow, RevisionRow
_REVIEW = (
    select(_A.id, _A.revision, _A.digest, _A.received_at, _A.created_at, _R.body)
    .add_columns(_A.urgency, _A.due_at)
    .join(_R, (_R.assessment == _A.id) & (_R.revision == _A.revision))
    .where(FOR_REVIEW)
    .order_by(_A.urgency, _A.due_at, _A.id)
)


def review(
    connection: Connection, after: str | None, limit: int, decision: str | None = None
) -> tuple[list[Kept], str | None]:
    """Return a page of what waits for a person, the most urgent first, and where the next begins.

    Raises
    ------
    DataError
        If `after` is no place that this function gave.
    """
    asked = _REVIEW.limit(limit + 1)
    if decision is not None:
        asked = asked.where(_A.decision == decision)
    if after is not None:
        urgency, due_at, name = _place(after)
        place = tuple_(literal(urgency), literal(due_at, Moment), literal(name))
        asked = asked.where(tuple_(_A.urgency, _A.due_at, _A.id) > place)
    rows = list(connection.execute(asked))
    page = [Kept(*row[:6]) for row in rows[:limit]]
    if len(rows) <= limit:
        return page, None
    last = rows[limit - 1]
    cursor = json.dumps([last.urgency, last.due_at.isoformat(), last.id])
    return page, base64.urlsafe_b64encode(cursor.encode()).decode()


def _place(cursor: str) -> tuple[int, datetime, str]:
    """Read a cursor.

    Raises
    ------
    DataError
        If it is none.
    """
    try:
        urgency, moment, name = json.loads(base64.urlsafe_b64decode(cursor))
        due_at = datetime.fromisoformat(moment)
        if urgency not in range(len(SEVERITIES)) or not _LONG_AGO < due_at <= NEVER:
            raise ValueError("out of range")
        return int(urgency), due_at, str(name).replace("\0", "")
    except (ValueError, TypeError) as error:
        raise DataError(
            "The cursor is none that a page of the review list gave: begin without one.",
            code="cursor_invalid",
        ) from error


def keep(
    connection: Connection, rows: Sequence[Sealed], *, late: bool = False
) -> list[Kept | Conflict]:
    """Keep answers in the transaction of a connection, with four statements at most.

    Parameters
    ----------
    connection : Connection
    rows : sequence of Sealed
        One that says what stands adds nothing.
    late : bool
        Whether they come from the spool: then one that is older than what stands adds nothing
        either.

    Returns
    -------
    list of Kept or Conflict
        What stands now, in the order given.
    """
    quick, cursor = _quick(connection.dialect.name), connection.connection.cursor()
    cursor.execute(quick.standing, {"ids": quick.many({row.id for row in rows})})
    work = _Work(quick, cursor.fetchall(), late)
    outcomes = [work.take(row) for row in rows]
    written = [work.assessments[name] for name in sorted(work.assessments)]
    added = [row for row in written if row["id"] not in work.known]
    changed = [row for row in written if row["id"] in work.known]
    for statement, values in ((quick.add, added), (quick.change, changed),
                              (quick.add_revisions, work.revisions)):  # fmt: skip
        if values:
            cursor.executemany(statement, values)
    return outcomes


class _Work:
    """Decides row by row what is to be written."""

    def __init__(self, quick: _Quick, rows: Sequence[Sequence[Any]], late: bool) -> None:
        self.quick = quick
        self.late = late
        self.known = frozenset(row[0] for row in rows)
        self.standing = {row[0]: (quick.kept(row), quick.moment(row[6]), row[7]) for row in rows}
        self.assessments: dict[str, dict[str, Any]] = {}
        self.revisions: list[dict[str, Any]] = []

    def take(self, row: Sealed) -> Kept | Conflict:
        """Decide what becomes of a row, the rows before it being written."""
        kept, made_at, customer = self.standing.get(row.id, (None, row.at, None))
        if kept and kept.digest != row.digest:
            return Conflict(row.id)
        if kept and (kept.body == row.body or (self.late and row.at <= made_at)):
            if row.customer not in (None, customer):
                self._put(row, kept)
            return kept
        number, created = (kept.revision + 1, kept.created_at) if kept else (1, row.at)
        now = Kept(row.id, number, row.digest, row.received_at, created, row.body)
        self._put(row, now, customer)
        self.revisions.append({
            "assessment": row.id, "revision": number, "at": self.quick.time(row.at),
            "body": row.body, "model_version": row.model_version,
            "policy_version": row.policy_version,
        })  # fmt: skip
        return now

    def _put(self, row: Sealed, kept: Kept, customer: str | None = None) -> None:
        """Write down what an assessment is to look like."""
        customer, time = row.customer or customer, self.quick.time
        self.standing[row.id] = kept, row.at, customer
        self.assessments[row.id] = {name: getattr(row, name) for name in _COLUMNS} | {
            "customer": customer, "revision": kept.revision, "state": "open",
            "received_at": time(row.received_at), "created_at": time(kept.created_at),
            "due_at": time(row.due_at),
        }  # fmt: skip
